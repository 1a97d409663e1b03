"""The pipeline that both tree trainers share: encode columns by kind, then boost."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from ct_assets.spec import ModelSpec
from ct_assets.training.dataset import Dataset, labels
from ct_assets.training.export import SklearnModel
from ct_assets.training.features import categories, frame
from ct_assets.training.trainer import TrainerError

__all__ = ["classifier", "fit_pipeline", "known_categories"]


def classifier(kind: type, parameters: Mapping[str, Any], *, refused: Mapping[str, str] | None = None) -> Any:
    """`kind(**parameters)`; a parameter that it does not have, or that is refused, raises TrainerError."""
    for name, why in (refused or {}).items():
        if name in parameters:
            raise TrainerError(f"training.parameters: '{name}' cannot be set: {why}")
    try:
        return kind(**parameters)
    except TypeError as error:
        raise TrainerError(
            f"training.parameters: {kind.__name__} takes no such parameter ({error})"
        ) from error


def known_categories(table: pa.Table, names: tuple[str, ...]) -> list[list[str]]:
    """The categories of each column in order; "" (missing) is none of them."""
    texts = categories(table, names)
    return [sorted(set(texts[:, column]) - {""}) for column in range(len(names))]


def fit_pipeline(
    spec: ModelSpec,
    dataset: Dataset,
    model: Any,
    *,
    numerical: Any,
    categorical: Callable[[list[list[str]]], Any],
) -> SklearnModel:
    """Fits `model` behind a transformer of each kind of column (`categorical` gets the categories it must know)."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    numbers, texts = len(spec.numerical), len(spec.categorical)
    # Columns by position: in the graph they come as two nameless matrices.
    steps = [("numerical", numerical, list(range(numbers)))] if numbers else []
    if texts:
        encode = categorical(known_categories(dataset.train, spec.categorical))
        steps.append(("categorical", encode, list(range(numbers, numbers + texts))))
    pipeline = Pipeline([("encode", ColumnTransformer(steps)), ("model", model)])
    weights = {} if dataset.weights is None else {"model__sample_weight": dataset.weights}
    rows = frame(dataset.train, spec.numerical, spec.categorical)
    with threadpool_limits(_threads(), user_api="openmp"):
        pipeline.fit(rows, labels(dataset.train), **weights)
    return SklearnModel(pipeline, numerical=numbers, categorical=texts)


def _threads() -> int | None:
    """Half of the cores, unless OMP_NUM_THREADS says otherwise. The other half serves and orchestrates: OpenMP threads
    that wait for a sister thread without a core spin, and a fit of 3 s took 24 s on two busy cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return None if "OMP_NUM_THREADS" in os.environ else max(1, cores // 2)
