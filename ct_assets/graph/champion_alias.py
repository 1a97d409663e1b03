"""The end of the lineage: who is champion. External: the promote op of a rollout reports it, nobody else can."""

from __future__ import annotations

import dagster as dg

from ct_assets.graph.names import Names
from ct_assets.spec import ModelSpec

__all__ = ["champion_alias"]


def champion_alias(spec: ModelSpec) -> dg.AssetSpec:
    """`<model>/champion_alias`."""
    names = Names(spec.model)
    return dg.AssetSpec(
        names.key("champion_alias"),
        deps=[names.key("evaluation")],
        description=f"The version of {spec.registered_model} under alias `champion`; serving follows it.",
        group_name=spec.model,
        owners=list(spec.owners),
        kinds={"mlflow"},
        metadata={"registered model": spec.registered_model},
    )
