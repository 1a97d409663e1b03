"""Writing a log: one object an hour of event time, and the same rows twice are there once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from ct_assets.lake.layout import day_of
from ct_assets.lake.log import write_records
from ct_assets.lake.store import Lake
from ct_assets.lake.tables import RecordError

At = Callable[..., datetime]


def table(times: list[Any], kind: pa.DataType | None = None) -> pa.Table:
    return pa.table(
        {"id": [str(n) for n in range(len(times))], "at": pa.array(times, kind or pa.timestamp("us", "UTC"))}
    )


def test_rows_are_split_by_the_hour_of_their_event(lake: Lake, at: At) -> None:
    rows = table([at(1, 9, 5), at(1, 9, 59), at(1, 10, 0), at(2, 0, 0)])
    keys = write_records(lake, "features", "churn", rows, "at")
    assert [key.rsplit("/", 1)[0] for key in keys] == [
        "features/churn/2024/05/01/09",
        "features/churn/2024/05/01/10",
        "features/churn/2024/05/02/00",
    ]
    assert [t.column("id").to_pylist() for t in map(lake.read_table, keys) if t] == [["0", "1"], ["2"], ["3"]]


def test_the_same_rows_sent_again_are_the_same_object(lake: Lake, at: At) -> None:
    rows = table([at(1, 9), at(1, 9, 30)])
    first = write_records(lake, "features", "churn", rows, "at")
    again = pa.concat_tables([rows.slice(0, 1), rows.slice(1)])
    assert write_records(lake, "features", "churn", again, "at") == first
    assert len(list(lake.list("features/"))) == 1


def test_a_retry_after_half_of_the_hours_completes_the_other_half(lake: Lake, at: At) -> None:
    rows = table([at(1, 9), at(1, 10)])
    write_records(lake, "features", "churn", rows.slice(0, 1), "at")
    assert len(write_records(lake, "features", "churn", rows, "at")) == 2
    assert len(list(lake.list("features/"))) == 2


def test_other_rows_of_the_same_hour_are_another_object(lake: Lake, at: At) -> None:
    write_records(lake, "features", "churn", table([at(1, 9, 1)]), "at")
    write_records(lake, "features", "churn", table([at(1, 9, 2)]), "at")
    assert len(list(lake.list("features/"))) == 2


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns", "Pacific/Auckland"])
def test_the_hour_is_the_utc_hour_in_every_zone(lake: Lake, at: At, zone: str) -> None:
    rows = table([at(1, 5, 59), at(1, 6, 1)], pa.timestamp("us", zone))
    keys = write_records(lake, "features", "churn", rows, "at")
    assert [key.split("/")[5] for key in keys] == ["05", "06"]


def test_no_rows_are_no_objects(lake: Lake) -> None:
    assert write_records(lake, "features", "churn", table([]), "at") == []


def test_a_row_without_a_time_is_refused_before_anything_is_written(lake: Lake, at: At) -> None:
    with pytest.raises(RecordError, match="features: 1 of 2 rows have no at, so no day"):
        write_records(lake, "features", "churn", table([at(1), None]), "at")
    assert list(lake.list("")) == []


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.int64()])
def test_times_without_a_zone_are_refused(lake: Lake, kind: pa.DataType) -> None:
    with pytest.raises(RecordError, match=r"column 'at' is .*, expected times with a zone"):
        write_records(lake, "features", "churn", table([1], kind), "at")


def test_every_key_of_a_log_belongs_to_a_day(log_rows: Callable[..., list[str]], at: At) -> None:
    keys = log_rows(("a", at(30, 23)), ("b", at(31, 0)))
    assert [day_of(key).day for key in keys] == [30, 31]
