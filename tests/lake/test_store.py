"""The store: whole objects by key, in a folder and in a real S3 server alike."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from ct_assets.lake.store import Lake, Object, fingerprint, to_parquet


@pytest.fixture(params=["folder", "s3"])
def any_lake(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    if request.param == "folder":
        return Lake(f"file://{tmp_path / 'lake'}")
    for name, value in request.getfixturevalue("s3").items():
        monkeypatch.setenv(name, value)
    return Lake(f"s3://lake/{tmp_path.name}")


def test_what_was_put_is_got_and_replaced(any_lake: Lake) -> None:
    any_lake.put("a/b", b"1")
    any_lake.put("a/b", b"2")
    assert any_lake.get("a/b") == b"2"


def test_what_was_never_put_is_none(any_lake: Lake) -> None:
    assert any_lake.get("a/b") is None
    assert any_lake.read_table("a/b") is None


def test_an_object_is_created_once_and_never_overwritten(any_lake: Lake) -> None:
    assert any_lake.create("a/b", b"first")
    assert not any_lake.create("a/b", b"second")
    assert any_lake.get("a/b") == b"first"


def test_of_many_writers_at_once_exactly_one_creates(any_lake: Lake) -> None:
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda n: any_lake.create("a/b", bytes([n])), range(8)))
    assert sum(created) == 1
    assert any_lake.get("a/b") == bytes([created.index(True)])


def test_a_listing_shows_key_size_and_an_aware_time(any_lake: Lake) -> None:
    before = datetime.now(UTC)
    any_lake.put("a/2024/b", b"123")
    (found,) = any_lake.list("a/")
    assert (found.key, found.size) == ("a/2024/b", 3)
    assert abs((found.last_modified - before).total_seconds()) < 60


def test_a_listing_keeps_to_its_folder(any_lake: Lake) -> None:
    for key in ("features/churn/x", "features/churn2/x", "features/churn.old/x"):
        any_lake.put(key, b"")
    assert [item.key for item in any_lake.list("features/churn/")] == ["features/churn/x"]
    assert list(any_lake.list("labels/churn/")) == []


def test_a_table_comes_back_as_it_was(any_lake: Lake) -> None:
    table = pa.table({"id": ["a", "b"], "at": pa.array([1, 2], pa.timestamp("us", "UTC"))})
    any_lake.put_table("t", table)
    assert any_lake.read_table("t") == table
    assert any_lake.read_table("t", columns=["id"]) == table.select(["id"])


@pytest.mark.parametrize("name", ["with space", "50%", "a#b", "a?b", "ä", "a%20b"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    Lake(f"file://{tmp_path / name}").put("k", b"1")
    assert (tmp_path / name / "k").read_bytes() == b"1"


@pytest.mark.parametrize("url", ["", "lake", "/lake", "file://lake", "gs://bucket", "s3:/bucket"])
def test_an_address_that_is_no_lake_is_refused_and_nothing_is_made(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"a lake is file:///folder \(a whole path\) or s3://bucket/prefix"):
        Lake(url)
    assert not list(tmp_path.iterdir())


def test_the_same_rows_give_the_same_bytes_however_they_came_together() -> None:
    whole = pa.table({"id": [f"r{n % 997}" for n in range(5_000)], "x": [n / 7 for n in range(5_000)]})
    parts = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 1_234), whole.slice(1_235)])
    assert to_parquet(parts) == to_parquet(whole)
    assert to_parquet(whole.slice(1)) != to_parquet(whole)


def test_a_fingerprint_follows_keys_and_sizes_and_no_order_or_time() -> None:
    def listed(*objects: tuple[str, int], minute: int = 0) -> list[Object]:
        return [Object(key, size, datetime(2024, 5, 1, 0, minute, tzinfo=UTC)) for key, size in objects]

    base = fingerprint(listed(("a", 1), ("b", 2)))
    assert fingerprint(listed(("b", 2), ("a", 1), minute=5)) == base
    others = [listed(), listed(("a", 1)), listed(("a", 1), ("b", 3)), listed(("a", 1), ("c", 2))]
    assert len({base, *map(fingerprint, others)}) == 5


def test_a_copied_lake_has_the_same_fingerprints(tmp_path: Path) -> None:
    lake = Lake(f"file://{tmp_path / 'lake'}")
    lake.put("features/churn/2024/05/01/00/x.parquet", b"123")
    shutil.copytree(tmp_path / "lake", tmp_path / "copy")
    copy = Lake(f"file://{tmp_path / 'copy'}")
    assert fingerprint(copy.list("features/churn/")) == fingerprint(lake.list("features/churn/"))
