"""What a trainer is, and how one is found by the name in `training.trainer`.

A trainer is one function, `(spec, dataset) -> fitted`. Bring your own as `package.module:function`: it may
return a scikit-learn classifier (exported here), or any object that has `predict_proba` and `to_onnx`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np

from ct_assets.spec import ModelSpec
from ct_assets.training.dataset import Dataset

if TYPE_CHECKING:
    import onnx
    import pandas as pd

__all__ = ["Fitted", "Trainer", "TrainerError", "find_trainer", "fit"]


class TrainerError(ValueError):
    """`training.trainer` or `training.parameters` cannot be used: names the key and the fix."""


@runtime_checkable
class Fitted(Protocol):
    """A trained model that can still be asked in its own framework, and can say itself as a graph."""

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """[rows, 2]: probabilities of the negative and the positive class; `frame` as `features.frame` makes it."""

    def to_onnx(self) -> onnx.ModelProto:
        """A graph that keeps the contract of `ct_assets.registry.bundle`: inputs `numerical`, `categorical`, output `score`."""


class Trainer(Protocol):
    def __call__(self, spec: ModelSpec, dataset: Dataset) -> Any:
        """Fits on `dataset.train` (with `dataset.weights`); must never look at `dataset.holdout`."""


def find_trainer(name: str) -> Trainer:
    """A trainer of this package by its name, or yours by `module:function`; raises TrainerError."""
    module, _, function = name.partition(":")
    if not function:
        module, function = f"ct_assets.training.{name}", "fit"
    try:
        found = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        raise TrainerError(
            f"training.trainer '{name}': module '{error.name}' is not installed or not on the path"
        ) from error
    except AttributeError as error:
        raise TrainerError(f"training.trainer '{name}': '{module}' has no function '{function}'") from error
    if not callable(found):
        raise TrainerError(f"training.trainer '{name}': '{function}' is no function")
    return cast(Trainer, found)


def fit(spec: ModelSpec, dataset: Dataset) -> Fitted:
    """Runs the spec's trainer and makes sure that its result can be exported."""
    fitted = find_trainer(spec.training.trainer)(spec, dataset)
    if isinstance(fitted, Fitted):
        return fitted
    if hasattr(fitted, "predict_proba") and hasattr(fitted, "get_params"):
        from ct_assets.training.export import SklearnModel

        return SklearnModel(fitted, numerical=len(spec.numerical), categorical=len(spec.categorical))
    raise TrainerError(
        f"training.trainer '{spec.training.trainer}' returned a {type(fitted).__name__}: return a scikit-learn classifier, "
        "or an object with predict_proba(frame) and to_onnx()"
    )
