"""Resources: the clock, and where lake, registry and routes are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ct_assets.catalog import load_spec
from ct_assets.resources import (
    Clock,
    LakeResource,
    RegistryResource,
    RouterResource,
    code_version,
    deployment_resources,
)
from ct_assets.rollout import Phase


def test_the_clock_is_the_machine_s_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= Clock().now() <= datetime.now(UTC)


def test_a_fixed_clock_stands_still_and_speaks_utc() -> None:
    assert Clock(fixed="2024-05-03T08:00:00+02:00").now() == datetime(2024, 5, 3, 6, tzinfo=UTC)
    assert Clock(fixed="2024-05-03T06:00:00Z").now().tzinfo is UTC


def test_a_fixed_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"CT_CLOCK_FIXED '2024-05-03T06:00:00' has no zone: write it like"):
        Clock(fixed="2024-05-03T06:00:00").now()


def test_the_embedded_default_keeps_everything_under_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CT_LAKE_URL", "MLFLOW_TRACKING_URI", "CT_ROUTER_DIR", "CT_CLOCK_FIXED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CT_HOME", str(tmp_path))
    found = deployment_resources()
    assert found["lake"].url == f"file://{tmp_path}/lake"
    assert found["registry"].tracking_uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert found["router"].folder == f"{tmp_path}/router"
    assert list(tmp_path.iterdir()) == [], "nothing is made before it is used"


def test_a_cluster_s_addresses_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CT_LAKE_URL", "s3://bucket/ct")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    monkeypatch.setenv("CT_CLOCK_FIXED", "2024-05-03T06:00:00Z")
    found = deployment_resources()
    assert (found["lake"].url, found["registry"].tracking_uri) == ("s3://bucket/ct", "http://mlflow:5000")
    assert found["clock"].now() == datetime(2024, 5, 3, 6, tzinfo=UTC)


def test_a_location_is_something_to_click_on() -> None:
    assert (
        LakeResource(url="file:///data/lake/").location("drift/m/x.html")
        == "file:///data/lake/drift/m/x.html"
    )
    assert LakeResource(url="s3://bucket/ct").location("a.html") == "s3://bucket/ct/a.html"


def test_registry_and_router_are_a_model_s_own(tmp_path: Path) -> None:
    spec = load_spec("fraud_detector")
    registry = RegistryResource(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db").of(spec)
    assert registry.name == "fraud-detector"
    router = RouterResource(folder=str(tmp_path / "router")).of(spec)
    assert router.path == tmp_path / "router" / "fraud_detector" / "rds.json"
    assert router.read().state.phase is Phase.IDLE, (
        "the first look writes a route that sends all to the champion"
    )


def test_the_code_s_version_is_given_or_git_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CT_CODE_VERSION", "1.2.3")
    code_version.cache_clear()
    assert code_version() == "1.2.3"
    monkeypatch.delenv("CT_CODE_VERSION")
    code_version.cache_clear()
    assert code_version()
    code_version.cache_clear()
