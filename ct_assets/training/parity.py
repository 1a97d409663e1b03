"""How far an exported graph is from its native model: the largest difference of two scores of the same row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ct_assets.spec import ModelSpec
from ct_assets.training.features import frame
from ct_assets.training.score import Scorer
from ct_assets.training.trainer import Fitted

__all__ = ["UNKNOWN", "parity", "with_hard_rows"]

UNKNOWN = "\N{REPLACEMENT CHARACTER}unknown"


def parity(native: Fitted, graph: Scorer, rows: pa.Table) -> float:
    """Largest absolute difference of the positive class's probability; infinite where either gives NaN."""
    if rows.num_rows == 0:
        raise ValueError("parity needs rows: of none, any two models agree")
    own = np.asarray(native.predict_proba(frame(rows, graph.numerical, graph.categorical)))[:, 1]
    difference = np.abs(own - graph(rows))
    return float(difference.max()) if np.isfinite(difference).all() else float("inf")


def with_hard_rows(spec: ModelSpec, rows: pa.Table, *, limit: int = 200) -> pa.Table:
    """`rows`, and the first `limit` of them again for each feature with that feature missing or, a category, unknown.

    Real holdouts rarely hold what breaks an export: a category that training never saw, a number that is missing.
    """
    few = rows.slice(0, limit)
    parts = [rows]
    for name in spec.features:
        at = few.schema.get_field_index(name)
        kind = few.schema.field(name).type
        values = [None] if name in spec.numerical else [None, UNKNOWN]
        parts += [
            few.set_column(at, few.schema.field(name), pa.array([v] * few.num_rows, kind)) for v in values
        ]
    return pa.concat_tables(parts)
