"""Exports a scikit-learn classifier to an ONNX graph that answers alike, and measures how alike.

Three things stand between skl2onnx 1.20 and equal answers; each is dealt with here, and parity on real rows
(`parity`) judges the outcome whatever the trainer.

- Thresholds. Histogram boosting splits at float64 midpoints; rounded to float32, a midpoint of two neighbouring
  values can land on the upper one and send it the other way (off by up to 0.8). Thresholds are therefore moved
  down to the float32 at or below them, in the native model too: no float32 row changes sides by that.
- Types. Its trees carry numpy integers and booleans, which protobuf 7 refuses in an attribute list.
- Outputs. A classifier's graph gives a label and both probabilities; the bundle's contract is one `score`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx
    import pandas as pd

__all__ = ["OPSET", "SklearnModel", "float32_thresholds", "plain_attributes", "score_only"]

# What onnxruntime 1.20 and newer read, so that serving may lag behind training.
OPSET = {"": 17, "ai.onnx.ml": 3}


@dataclass(frozen=True)
class SklearnModel:
    """A fitted scikit-learn classifier over `numerical` number columns, then `categorical` text columns."""

    estimator: Any
    numerical: int
    categorical: int

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        return np.asarray(self.estimator.predict_proba(frame))

    def to_onnx(self) -> onnx.ModelProto:
        """The graph; the estimator's own thresholds are moved to float32 by this (see above)."""
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType, StringTensorType

        inputs: list[tuple[str, Any]] = []
        if self.numerical:
            inputs.append(("numerical", FloatTensorType([None, self.numerical])))
        if self.categorical:
            inputs.append(("categorical", StringTensorType([None, self.categorical])))
        for step in _steps(self.estimator):
            float32_thresholds(step)
        with plain_attributes():
            graph = to_onnx(
                self.estimator,
                initial_types=inputs,
                options={"zipmap": False},
                target_opset=OPSET,
                name="model",
            )
        return score_only(graph)


def float32_thresholds(estimator: Any) -> None:
    """Moves every threshold of a histogram-boosted model down to a float32; other estimators are left alone."""
    for trees in getattr(estimator, "_predictors", ()):
        for tree in trees:
            exact = tree.nodes["num_threshold"]
            with np.errstate(over="ignore"):
                rounded = exact.astype(np.float32)
            above = rounded > exact
            rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
            tree.nodes["num_threshold"] = rounded


@contextmanager
def plain_attributes() -> Iterator[None]:
    """While open, skl2onnx hands plain Python numbers to onnx; afterwards nothing is changed."""
    from skl2onnx.common import _container

    original = _container.make_node

    def make_node(*args: Any, **attributes: Any) -> Any:
        return original(*args, **{name: _plain(value) for name, value in attributes.items()})

    _container.make_node = make_node
    try:
        yield
    finally:
        _container.make_node = original


def score_only(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with one output, `score` float32 [rows], in place of a classifier's `label` and `probabilities`."""
    from onnx import TensorProto, checker, helper, numpy_helper

    names = [output.name for output in graph.graph.output]
    if names[-1:] == ["score"]:
        return graph
    del graph.graph.output[:]
    graph.graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.int64), "positive_class"))
    graph.graph.node.append(
        helper.make_node("Gather", [names[-1], "positive_class"], ["score"], name="score", axis=1)
    )
    graph.graph.output.append(helper.make_tensor_value_info("score", TensorProto.FLOAT, [None]))
    checker.check_model(graph)
    return graph


def _steps(estimator: Any) -> list[Any]:
    """A pipeline's steps, or the estimator alone."""
    return [step for _, step in estimator.steps] if hasattr(estimator, "steps") else [estimator]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool | np.bool_ | np.integer):
        return int(value)
    return float(value) if isinstance(value, np.floating) else value
