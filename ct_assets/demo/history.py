"""Builds what a scenario starts from: months of logged traffic, and a first champion trained on them.

Run as a process of its own (`python -m ct_assets.demo.history`), in the deployment's environment: the same
assets, gate and rollout job as in production, executed in process on the deployment's Dagster instance.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date, datetime
from typing import Any

import polars as pl
import pyarrow as pa

from ct_assets.catalog import load_spec
from ct_assets.demo.deployment import MODEL, Timeline
from ct_assets.demo.fraud_traffic import FraudTraffic, generate
from ct_assets.lake.log import write_records
from ct_assets.lake.record import LABEL_LOG, Variant, feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.settings import Settings
from ct_assets.spec import ModelSpec

__all__ = ["build_history", "log_history"]

NO_MODEL = "0"  # the version that the log names before there was any


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--live", type=date.fromisoformat, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--tx-per-day", type=int, required=True)
    args = parser.parse_args()
    build_history(Timeline(args.live), seed=args.seed, tx_per_day=args.tx_per_day)


def build_history(timeline: Timeline, *, seed: int, tx_per_day: int) -> None:
    """Logs the history, closes its days, trains the first champion and rolls it out (it needs no steps)."""
    settings = Settings()
    spec = load_spec(MODEL, overlay=settings.overlay)
    training = spec.training
    first = timeline.first_history_day(training.window_days, training.holdout_days, spec.label_delay_days)
    days = (timeline.first_champion_as_of - first).days + 1
    rows = generate(FraudTraffic(first_day=first, days=days, seed=seed, tx_per_day=tx_per_day))
    _say(f"logging {rows.height:,} transactions of {days} days")
    log_history(Lake(settings.lake), spec, rows, known_until=timeline.first_traffic_day)
    _train(spec, first, timeline.first_champion_as_of)


def log_history(lake: Lake, spec: ModelSpec, rows: pl.DataFrame, *, known_until: date) -> None:
    """Writes rows as serving would have logged them, and the labels that arrived before `known_until`."""
    logged = rows.select(
        "request_id",
        "event_time",
        pl.col("event_time").alias("received_at"),
        pl.lit(NO_MODEL).alias("model_version"),
        pl.lit(Variant.CHAMPION.value).alias("variant"),
        pl.lit(None, pl.Float64).alias("prediction"),
        pl.col(spec.entity).alias("entity"),
        *spec.features,
    )
    write_records(lake, "features", spec.model, _as(logged, feature_log_schema(spec)), "event_time")
    cut = datetime.combine(known_until, datetime.min.time())
    labels = rows.filter(pl.col("label_time").dt.replace_time_zone(None) < cut).select(
        "request_id",
        pl.col(spec.label).alias("label"),
        "label_time",
        pl.col("label_time").alias("received_at"),
    )
    write_records(lake, "labels", spec.model, _as(labels, LABEL_LOG), "label_time")


def _train(spec: ModelSpec, first: date, as_of: date) -> None:
    import dagster as dg

    from ct_assets.definitions import defs
    from ct_assets.graph.names import Names, day_range_tags

    names, location = Names(spec.model), defs()
    with dg.DagsterInstance.get() as instance:

        def run(job: str, **options: Any) -> None:
            location.resolve_job_def(job).execute_in_process(
                instance=instance, raise_on_error=True, **options
            )

        _say("closing the days of the history")
        features = dg.AssetSelection.assets(names.key("production_features"))
        location.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=list(features.resolve(location.resolve_asset_graph())),
            tags=day_range_tags(first, as_of),
        )
        _say(f"training the first champion as of {as_of}")
        run(names.retraining_job, partition_key=as_of.isoformat(), tags={"ct/reason": "first champion"})
        _say("rolling it out: the first champion needs no steps")
        run(names.rollout_job)


def _as(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    return frame.to_arrow().cast(schema)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
