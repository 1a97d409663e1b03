"""What a version leaves in the lake for the drift monitor: a sample of what it was trained on, and its own scores."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ct_assets.lake.layout import reference_key
from ct_assets.lake.store import Lake
from ct_assets.spec import ModelSpec

__all__ = ["sample_rows", "write_reference"]


def sample_rows(table: pa.Table, rows: int, *, seed: int) -> pa.Table:
    """`rows` rows drawn without replacement, in their order; the whole table where it has no more.

    >>> sample_rows(pa.table({"x": list(range(10))}), 3, seed=1) == sample_rows(pa.table({"x": list(range(10))}), 3, seed=1)
    True
    """
    if table.num_rows <= rows:
        return table
    chosen = np.sort(np.random.default_rng(seed).choice(table.num_rows, size=rows, replace=False))
    return table.take(pa.array(chosen))


def write_reference(
    spec: ModelSpec, lake: Lake, run_id: str, train: pa.Table, holdout_scores: np.ndarray
) -> None:
    """`reference.parquet`: event_time and features of sampled training rows. `scores.parquet`: column `prediction`."""
    sample = sample_rows(train, spec.drift.reference_rows, seed=spec.training.seed).select(
        ["event_time", *spec.features]
    )
    lake.put_table(reference_key(spec.model, run_id, "reference.parquet"), sample)
    scores = pa.table({"prediction": pa.array(holdout_scores, pa.float64())})
    lake.put_table(reference_key(spec.model, run_id, "scores.parquet"), scores)
