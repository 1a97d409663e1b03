"""The lineage of a model as Dagster shows it: names, dependencies, what can be materialized, what runs by itself."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pytest

from ct_assets.catalog import load_spec
from ct_assets.graph.model_graph import model_graph
from ct_assets.resources import deployment_resources
from ct_assets.spec import ModelSpec
from ct_assets.training import TrainingWindow

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_offset=0)


@pytest.fixture(scope="module")
def fraud() -> Any:
    """The shipped model's graph, with the documented defaults."""
    return bound(load_spec("fraud_detector"))


def bound(spec: ModelSpec) -> dg.Definitions:
    return dg.Definitions.merge(model_graph(spec), dg.Definitions(resources=deployment_resources()))


def test_the_lineage_is_the_loop(fraud: Any) -> None:
    graph = fraud.resolve_asset_graph()
    found = {
        key.to_user_string(): sorted(up.to_user_string() for up in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    }
    m = "fraud_detector"
    assert found == {
        f"{m}/feature_log": [],
        f"{m}/labels": [],
        f"{m}/production_features": [f"{m}/feature_log"],
        f"{m}/drift_report": [f"{m}/production_features"],
        f"{m}/retrained_model": [f"{m}/drift_report", f"{m}/labels", f"{m}/production_features"],
        f"{m}/evaluation": [f"{m}/labels", f"{m}/production_features", f"{m}/retrained_model"],
        f"{m}/champion_alias": [f"{m}/evaluation"],
    }


def test_one_check_a_rule(fraud: Any) -> None:
    keys = fraud.resolve_asset_graph().asset_check_keys
    by_asset: dict[str, set[str]] = {}
    for key in keys:
        by_asset.setdefault(key.asset_key.path[-1], set()).add(key.name)
    assert by_asset == {
        "drift_report": {
            "psi_transaction_amount",
            "chisquare_merchant_category",
            "ks_hour_of_day",
            "drifted_share",
            "prediction_drift",
        },
        "evaluation": {"auc_threshold", "better_than_champion", "onnx_parity", "newer_than_champion"},
    }


def test_jobs_sensors_and_schedule_carry_the_model_s_name_and_run_by_default(fraud: Any) -> None:
    assert {job.name for job in fraud.jobs} == {
        "fraud_detector_judge_days",
        "fraud_detector_retraining",
        "fraud_detector_canary_rollout",
    }
    assert {s.name for s in fraud.sensors} == {
        "fraud_detector_closer",
        "fraud_detector_drift_sensor",
        "fraud_detector_canary_sensor",
    }
    assert {s.default_status for s in fraud.sensors} == {dg.DefaultSensorStatus.RUNNING}
    (schedule,) = fraud.schedules
    assert (schedule.name, schedule.cron_schedule, schedule.execution_timezone, schedule.default_status) == (
        "fraud_detector_daily",
        "0 6 * * *",
        "UTC",
        dg.DefaultScheduleStatus.RUNNING,
    )


def test_traffic_and_champion_are_external_so_nobody_can_materialize_them(fraud: Any) -> None:
    graph = fraud.resolve_asset_graph()
    made = {key.path[-1] for key in graph.materializable_asset_keys}
    assert made == {"production_features", "drift_report", "retrained_model", "evaluation"}
    assert {key.path[-1] for key in graph.external_asset_keys} == {"feature_log", "labels", "champion_alias"}


def test_every_asset_says_what_it_is_whose_and_of_what_kind(fraud: Any) -> None:
    for spec in fraud.resolve_all_asset_specs():
        name = spec.key.to_user_string()
        assert spec.description, name
        assert spec.owners == ["team:fraud"], name
        assert spec.group_name == "fraud_detector", name
        assert spec.kinds, name
        assert set(spec.metadata) - {"dagster/code_references"}, name
    for job in (*fraud.jobs, *fraud.sensors, *fraud.schedules):
        assert job.description, job.name
    for check in fraud.resolve_asset_graph().asset_check_keys:
        assert fraud.resolve_asset_graph().get_check_spec(check).description, check


def test_the_rollout_has_an_op_a_configured_stage(fraud: Any) -> None:
    rollout = next(job for job in fraud.jobs if job.name == "fraud_detector_canary_rollout")
    assert [node.name for node in rollout.nodes_in_topological_order] == [
        "shadow",
        "canary_10",
        "canary_50",
        "canary_100",
        "promote",
        "rollback",
    ]


def test_a_model_without_shadow_and_with_one_step_is_a_shorter_job() -> None:
    spec = load_spec("fraud_detector")
    short = spec.model_copy(
        update={"rollout": spec.rollout.model_validate({"shadow": {"requests": 0}, "steps": [100]})}
    )
    rollout = next(
        job for job in model_graph(short).jobs or () if job.name == "fraud_detector_canary_rollout"
    )
    assert isinstance(rollout, dg.JobDefinition)
    assert [node.name for node in rollout.nodes_in_topological_order] == ["canary_100", "promote", "rollback"]


@pytest.mark.parametrize(("delay", "holdout", "window"), [(7, 3, 90), (0, 1, 1), (2, 2, 10)])
def test_the_upstream_days_of_a_model_are_its_training_window_and_holdout(
    delay: int, holdout: int, window: int
) -> None:
    spec = ModelSpec.model_validate(
        {
            "model": "m",
            "entity": "e",
            "label": "l",
            "features": {"x": "numerical"},
            "label_delay_days": delay,
            "training": {"holdout_days": holdout, "window_days": window},
        }
    )
    as_of = date(2024, 6, 30)
    with dg.DagsterInstance.ephemeral() as instance:
        found = training_days(spec).get_upstream_mapped_partitions_result_for_partitions(
            downstream_partitions_subset=DAYS.subset_with_partition_keys([str(as_of)]),
            downstream_partitions_def=DAYS,
            upstream_partitions_def=DAYS,
            dynamic_partitions_store=instance,
        )
    days = sorted(found.partitions_subset.get_partition_keys())
    assert days == [str(day) for day in TrainingWindow.of(spec, as_of).days()]


def test_an_as_of_day_whose_window_begins_before_history_can_still_be_asked_for() -> None:
    assert training_days(load_spec("fraud_detector")).allow_nonexistent_upstream_partitions


def training_days(spec: ModelSpec) -> Any:
    """How an as-of day of retrained_model maps to days of production_features."""
    graph = bound(spec).resolve_asset_graph()
    mappings = graph.get(dg.AssetKey([spec.model, "retrained_model"])).partition_mappings
    return mappings[dg.AssetKey([spec.model, "production_features"])]


def test_today_is_no_partition(fraud: Any) -> None:
    days = fraud.resolve_asset_graph().get(dg.AssetKey(["fraud_detector", "drift_report"])).partitions_def
    assert date.fromisoformat(days.get_last_partition_key()) < datetime.now(UTC).date()


def test_building_a_graph_warns_of_nothing(recwarn: Any) -> None:
    model_graph(load_spec("fraud_detector"))
    assert [str(warning.message) for warning in recwarn.list] == []
