"""The demo's deployment differs from production in its overlay alone, and that overlay is a valid one."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from ct_assets.catalog import load_spec
from ct_assets.demo.deployment import MODEL, Deployment, Timeline
from ct_assets.embedded.serve import ports_of
from ct_assets.settings import Settings
from ct_assets.training import TrainingWindow

LIVE = date(2024, 5, 20)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment.on_free_ports(tmp_path / "run", date(2024, 1, 1), grace_s=21_600.0, bake_s=5.0)


def test_its_overlay_makes_a_valid_spec_that_keeps_every_rule_of_drift_gate_and_rollout(
    deployment: Deployment,
) -> None:
    deployment.write(trainer=None)
    played, shipped = load_spec(MODEL, overlay=deployment.overlay_file), load_spec(MODEL)
    assert (played.drift, played.gate, played.training) == (shipped.drift, shipped.gate, shipped.training)
    assert played.rollout.steps == shipped.rollout.steps
    assert played.rollout.error_rate_limit == shipped.rollout.error_rate_limit
    assert played.history_start == str(deployment.first_day)


def test_another_trainer_changes_nothing_else(deployment: Deployment) -> None:
    usual, other = deployment.overlay(None), deployment.overlay("some.module:train")
    assert other.pop("training") == {"trainer": "some.module:train"}
    assert other == usual


def test_a_rollout_looks_for_its_endpoints_where_the_deployment_started_them(deployment: Deployment) -> None:
    deployment.write(trainer=None)
    named = ports_of(load_spec(MODEL, overlay=deployment.overlay_file))
    used = deployment.ports
    assert (named.champion, named.challenger, named.admin) == (used.champion, used.challenger, used.admin)


def test_no_two_parts_share_a_port(deployment: Deployment) -> None:
    ports = deployment.ports
    others = {deployment.dagster_port, deployment.reports_port}
    assert len({ports.router, ports.champion, ports.challenger, ports.shadow, ports.admin} | others) == 7


def test_its_processes_see_this_deployment_whatever_the_shell_says(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = {
        "CT_LAKE_URL": "s3://prod/x",
        "CT_VARIANT": "challenger",
        "CT_CLOCK_FIXED": "2020-01-01T00:00:00Z",
    }
    foreign |= {"DAGSTER_HOME": "/elsewhere", "MLFLOW_TRACKING_URI": "http://prod:5000"}
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    env = deployment.env()
    assert not {value for value in env.values() if value in foreign.values()}
    for name in foreign:
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.lake == f"file://{deployment.lake}"
    assert settings.mlflow == deployment.tracking_uri
    assert settings.overlay == deployment.overlay_file
    assert settings.routes / MODEL == deployment.routes


def test_dagster_runs_on_the_shipped_instance_file(deployment: Deployment) -> None:
    deployment.write(trainer=None)
    instance = yaml.safe_load((deployment.dagster_home / "dagster.yaml").read_text())
    assert instance["telemetry"] == {"enabled": False}


def test_the_fortnight_of_traffic_ends_with_the_live_day() -> None:
    timeline = Timeline(LIVE)
    assert (timeline.live - timeline.first_traffic_day).days + 1 == 14
    assert timeline.first_champion_as_of == timeline.first_traffic_day - timedelta(days=1)


def test_the_history_is_just_what_the_first_champion_trains_on() -> None:
    spec, timeline = load_spec(MODEL), Timeline(LIVE)
    training = spec.training
    first = timeline.first_history_day(training.window_days, training.holdout_days, spec.label_delay_days)
    assert TrainingWindow.of(spec, timeline.first_champion_as_of).train_start == first
