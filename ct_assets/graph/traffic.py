"""The external assets upstream: what serving writes to the lake. Nothing here can be materialized by hand."""

from __future__ import annotations

import dagster as dg

from ct_assets.graph.names import Names
from ct_assets.spec import ModelSpec

__all__ = ["traffic_logs"]


def traffic_logs(spec: ModelSpec) -> list[dg.AssetSpec]:
    """`<model>/feature_log` and `<model>/labels`."""
    names = Names(spec.model)
    return [
        dg.AssetSpec(
            names.key("feature_log"),
            description="Every request that serving answered: features, score, version, variant, time.",
            group_name=spec.model,
            owners=list(spec.owners),
            kinds={"parquet", "fastapi"},
            metadata={"keys": f"features/{spec.model}/YYYY/MM/DD/HH/*.parquet"},
        ),
        dg.AssetSpec(
            names.key("labels"),
            description=f"Outcomes sent to /feedback; mature {spec.label_delay_days} days after the event.",
            group_name=spec.model,
            owners=list(spec.owners),
            kinds={"parquet", "fastapi"},
            metadata={"keys": f"labels/{spec.model}/YYYY/MM/DD/HH/*.parquet"},
        ),
    ]
