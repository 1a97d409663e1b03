"""`<model>/production_features`: a day of the feature log, live answers only, one row a request."""

from datetime import date
from typing import Any

import dagster as dg

from ct_assets.graph.names import Names, daily_partitions
from ct_assets.lake.layout import production_key
from ct_assets.lake.production import DaySummary, compact_day
from ct_assets.resources import LakeResource
from ct_assets.spec import ModelSpec

__all__ = ["production_features"]


def production_features(spec: ModelSpec) -> dg.AssetsDefinition:
    """Daily; a range of days is one run."""
    names = Names(spec.model)

    @dg.asset(
        key=names.key("production_features"),
        deps=[names.key("feature_log")],
        partitions_def=daily_partitions(spec),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=spec.model,
        owners=list(spec.owners),
        kinds={"parquet", "pyarrow"},
        description="Live requests of a UTC day (by event time), deduplicated by request id.",
        metadata={"features": list(spec.features)},
    )
    def _production_features(context: dg.AssetExecutionContext, lake: LakeResource) -> None:
        store = lake.open()
        for key in context.partition_keys:
            found = compact_day(store, spec, date.fromisoformat(key))
            context.add_asset_metadata(
                _metadata(found, lake.location(production_key(spec.model, found.day))),
                asset_key=context.asset_key,
                partition_key=key,
            )
            context.log.info("%s: %d live requests of %d objects", key, found.rows, found.objects)

    return _production_features


def _metadata(found: DaySummary, location: str) -> dict[str, Any]:
    return {
        "dagster/row_count": found.rows,
        "duplicates dropped": found.duplicates,
        "shadow rows left out": found.shadow_rows,
        "log objects": found.objects,
        "fingerprint": found.fingerprint,
        "missing values": dg.MetadataValue.json(found.nulls),
        "rows by model version": dg.MetadataValue.json(found.versions),
        "object": dg.MetadataValue.url(location),
    }
