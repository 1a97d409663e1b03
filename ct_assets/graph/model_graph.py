"""One model's Definitions: the lineage, its jobs, sensors and schedule."""

from __future__ import annotations

import warnings

import dagster as dg

from ct_assets.graph.canary import canary_rollout_job
from ct_assets.graph.canary_sensor import canary_sensor
from ct_assets.graph.champion_alias import champion_alias
from ct_assets.graph.closer import closer_sensor, daily_schedule
from ct_assets.graph.drift_report import drift_report
from ct_assets.graph.drift_sensor import drift_sensor
from ct_assets.graph.evaluation import evaluation
from ct_assets.graph.names import Names
from ct_assets.graph.production_features import production_features
from ct_assets.graph.retrained_model import retrained_model
from ct_assets.graph.traffic import traffic_logs
from ct_assets.spec import ModelSpec

__all__ = ["model_graph"]


def model_graph(spec: ModelSpec) -> dg.Definitions:
    """Every asset, check, job, sensor and schedule of one model, under names that carry the model's."""
    with warnings.catch_warnings():
        # Known and wanted: partitioned checks are a preview of Dagster's, backfill policies a beta; the version is pinned.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        return _model_graph(spec)


def _model_graph(spec: ModelSpec) -> dg.Definitions:
    names = Names(spec.model)
    judge = dg.define_asset_job(
        names.judge_job,
        selection=dg.AssetSelection.assets(names.key("production_features"), names.key("drift_report")),
        description="Compacts days of traffic and judges them for drift.",
    )
    retraining = dg.define_asset_job(
        names.retraining_job,
        selection=dg.AssetSelection.assets(names.key("retrained_model"), names.key("evaluation")),
        description="Trains a candidate as of a day and puts it before the gate.",
    )
    return dg.Definitions(
        assets=[
            *traffic_logs(spec),
            production_features(spec),
            drift_report(spec),
            retrained_model(spec),
            evaluation(spec),
            champion_alias(spec),
        ],
        jobs=[judge, retraining, canary_rollout_job(spec)],
        sensors=[closer_sensor(spec, judge), drift_sensor(spec, retraining), canary_sensor(spec)],
        schedules=[daily_schedule(spec, judge)],
    )
