from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from ct_assets.registry import MODEL_FILE, BundleError, Registry, RegistryError, UnknownVersion, read_bundle


def test_before_the_first_version_nothing_is_there_and_nothing_fails(registry: Registry) -> None:
    assert registry.by_alias("champion") is None
    assert registry.versions() == []
    assert registry.clear_alias("challenger") is False
    with pytest.raises(UnknownVersion, match="nothing is registered yet"):
        registry.get("1")


def test_a_version_knows_its_run_its_tags_and_its_as_of_day(registry: Registry, publish) -> None:
    version = registry.get(publish(b"one", **{"ct.as_of": "2026-03-01"}).version)
    assert version.as_of == date(2026, 3, 1)
    assert len(version.run_id) == 32
    assert abs(version.created - datetime.now(UTC)) < timedelta(minutes=5)
    assert publish(b"two").as_of is None


def test_versions_are_listed_newest_first_beyond_the_ninth(registry: Registry, publish) -> None:
    for graph in range(11):
        publish(str(graph).encode())
    assert [v.version for v in registry.versions()] == [str(n) for n in range(11, 0, -1)]


def test_an_alias_follows_where_it_is_set(registry: Registry, publish) -> None:
    first, second = publish(b"one"), publish(b"two")
    for expected in (first, second):
        registry.set_alias("champion", expected.version)
        found = registry.by_alias("champion")
        assert found is not None
        assert found.version == expected.version


def test_an_alias_is_never_set_to_a_version_that_does_not_exist(registry: Registry, publish) -> None:
    registry.set_alias("champion", publish(b"one").version)
    with pytest.raises(UnknownVersion, match="it has 1"):
        registry.set_alias("champion", "7")
    with pytest.raises(UnknownVersion):
        registry.get("newest")
    assert registry.by_alias("champion").version == "1"


def test_an_alias_is_cleared_only_from_the_version_that_was_meant(registry: Registry, publish) -> None:
    publish(b"one"), publish(b"two")
    registry.set_alias("challenger", "2")
    assert registry.clear_alias("challenger", only_if="1") is False
    assert registry.by_alias("challenger").version == "2"
    assert registry.clear_alias("challenger", only_if="2") is True
    assert registry.by_alias("challenger") is None


def test_a_tag_is_read_back(registry: Registry, publish) -> None:
    version = publish(b"one").version
    registry.tag(version, **{"ct.gate": "promote", "note": "by hand"})
    tags = registry.get(version).tags
    assert (tags["ct.gate"], tags["note"]) == ("promote", "by hand")


def test_a_download_is_fetched_once_and_verified(registry: Registry, publish, tmp_path: Path) -> None:
    version = publish(b"graph").version
    folder = registry.download(version, tmp_path / "cache")
    assert (folder / MODEL_FILE).read_bytes() == b"graph"
    assert read_bundle(folder).numerical == ["amount"]
    before = (folder / MODEL_FILE).stat().st_mtime_ns
    assert registry.download(version, tmp_path / "cache") == folder
    assert (folder / MODEL_FILE).stat().st_mtime_ns == before
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [folder.name]


def test_a_damaged_copy_is_fetched_again(registry: Registry, publish, tmp_path: Path) -> None:
    version = publish(b"graph").version
    folder = registry.download(version, tmp_path / "cache")
    (folder / MODEL_FILE).write_bytes(b"torn")
    assert (registry.download(version, tmp_path / "cache") / MODEL_FILE).read_bytes() == b"graph"


def test_files_that_are_not_the_registered_ones_are_refused(
    registry: Registry, publish, tmp_path: Path
) -> None:
    version = publish(b"graph", **{"ct.onnx_sha256": "0" * 64}).version
    with pytest.raises(BundleError, match=r"ct\.onnx_sha256"):
        registry.download(version, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_version_whose_files_are_gone_says_where_they_were(registry: Registry, tmp_path: Path) -> None:
    run = registry.client.create_run(registry.experiment())
    version = registry.register(run_id=run.info.run_id, source=f"runs:/{run.info.run_id}/model", tags={})
    with pytest.raises(
        RegistryError, match=r"files of version 1 at runs:/.*/model of 'fraud-detector' cannot be read"
    ):
        registry.download(version.version, tmp_path / "cache")


def test_a_registry_set_up_anew_does_not_find_the_old_ones_files(
    registry: Registry, publish, tmp_path: Path
) -> None:
    """Version 1 of another run has another folder, so a cache that outlives the registry is never wrong."""
    folder = registry.download(publish(b"graph").version, tmp_path / "cache")
    assert registry.get("1").run_id[:8] in folder.name


def test_a_server_that_does_not_answer_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match=r"http://127\.0\.0\.1:9: alias 'champion' of 'm' cannot be read"):
        Registry("http://127.0.0.1:9", "m").by_alias("champion")
