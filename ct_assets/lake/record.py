"""The records of the lake: what serving writes and everything else reads. The only definition of their columns."""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

from ct_assets.spec import ModelSpec

__all__ = ["LABEL_LOG", "Variant", "feature_log_schema"]

_TIME = pa.timestamp("us", tz="UTC")


class Variant(StrEnum):
    """Who answered. Shadow answers reach no user and never count as live."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    SHADOW = "shadow"


def feature_log_schema(spec: ModelSpec) -> pa.Schema:
    """One row an answered request: who, when (event and processing time), which version, the score, the features."""
    kinds = {"numerical": pa.float64(), "categorical": pa.string()}
    return pa.schema(
        [
            pa.field("request_id", pa.string(), nullable=False),
            pa.field("event_time", _TIME, nullable=False),
            pa.field("received_at", _TIME, nullable=False),
            pa.field("model_version", pa.string(), nullable=False),
            pa.field("variant", pa.string(), nullable=False),
            pa.field("prediction", pa.float64()),
            pa.field("entity", pa.string()),
            *(pa.field(name, kinds[kind]) for name, kind in spec.features.items()),
        ]
    )


# One row a label that was sent. A later `label_time`, then a later `received_at`, supersedes.
LABEL_LOG = pa.schema(
    [
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("label", pa.float64(), nullable=False),
        pa.field("label_time", _TIME, nullable=False),
        pa.field("received_at", _TIME, nullable=False),
    ]
)
