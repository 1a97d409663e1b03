"""Turns rows of the lake into what a model sees: float32 numbers (missing is NaN), text categories (missing is "").

Training, the native model and the ONNX graph all read this one rendering. Serving computes in float32, so a
model must be trained on float32 too: a tree that split 0.1 from the float32 next to it would answer otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["categories", "frame", "numbers", "onnx_inputs"]


def numbers(table: pa.Table, names: Sequence[str]) -> np.ndarray:
    """float32 [rows, len(names)]; null and infinite (also beyond float32) become NaN. KeyError names a missing column.

    >>> numbers(pa.table({"a": [1.5, None, 1e300]}), ["a"]).ravel().tolist()
    [1.5, nan, nan]
    """
    out = np.empty((table.num_rows, len(names)), dtype=np.float32)
    with np.errstate(over="ignore"):
        for column, name in enumerate(names):
            values = pc.cast(_column(table, name), pa.float64(), safe=False)
            out[:, column] = values.to_numpy(zero_copy_only=False)
    out[~np.isfinite(out)] = np.nan
    return out


def categories(table: pa.Table, names: Sequence[str]) -> np.ndarray:
    """Text, as objects [rows, len(names)]; null becomes "".

    >>> categories(pa.table({"c": ["food", None]}), ["c"]).ravel().tolist()
    ['food', '']
    """
    out = np.empty((table.num_rows, len(names)), dtype=object)
    for column, name in enumerate(names):
        out[:, column] = pc.fill_null(pc.cast(_column(table, name), pa.string()), "").to_numpy(
            zero_copy_only=False
        )
    return out


def onnx_inputs(
    table: pa.Table, numerical: Sequence[str], categorical: Sequence[str]
) -> dict[str, np.ndarray]:
    """The feed of a bundle's graph; an input exists only where the model has features of its kind."""
    feed: dict[str, np.ndarray] = {}
    if numerical:
        feed["numerical"] = numbers(table, numerical)
    if categorical:
        feed["categorical"] = categories(table, categorical)
    return feed


def frame(table: pa.Table, numerical: Sequence[str], categorical: Sequence[str]) -> pd.DataFrame:
    """What a native model's `fit` and `predict_proba` get: numerical columns first, then categorical ones."""
    import pandas as pd

    given = numbers(table, numerical)
    texts = categories(table, categorical)
    columns: dict[str, Any] = {name: given[:, k] for k, name in enumerate(numerical)}
    columns.update({name: texts[:, k] for k, name in enumerate(categorical)})
    return pd.DataFrame(columns, copy=False)


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise KeyError(f"feature '{name}' is no column of these rows ({', '.join(table.column_names)})")
    return table[name]
