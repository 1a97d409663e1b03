"""What the lake holds of each day, from listings alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from ct_assets.lake.days import day_slot, slots
from ct_assets.lake.store import Lake
from ct_assets.spec import ModelSpec

At = Callable[..., datetime]
LogRows = Callable[..., list[str]]


def test_a_day_without_rows_has_no_objects_and_no_last_write(lake: Lake, spec: ModelSpec) -> None:
    slot = day_slot(lake, spec.model, date(2024, 5, 1))
    assert (slot.objects, slot.last_write) == (0, None)


def test_a_day_tells_its_objects_and_when_the_newest_was_written(
    lake: Lake, spec: ModelSpec, log_rows: LogRows, at: At
) -> None:
    log_rows(("a", at(1, 9)), ("b", at(1, 10)))
    slot = day_slot(lake, spec.model, date(2024, 5, 1))
    assert slot.objects == 2
    assert slot.last_write is not None
    assert datetime.now(UTC) - slot.last_write < timedelta(minutes=1)


def test_both_ways_to_list_give_the_same_days(lake: Lake, spec: ModelSpec, log_rows: LogRows, at: At) -> None:
    log_rows(("a", at(1)), ("b", at(3)), ("c", at(4)), ("d", at(6)))
    last = date(2024, 5, 4)
    every = slots(lake, spec.model, last=last)
    assert [slot.day.day for slot in every] == [1, 3, 4]
    assert slots(lake, spec.model, last=last, days=30) == every
    assert slots(lake, spec.model, last=last, days=2) == every[1:]


def test_another_models_log_is_not_this_ones(lake: Lake, spec: ModelSpec, log_rows: LogRows, at: At) -> None:
    log_rows(("a", at(1)))
    assert slots(lake, "chur", last=date(2024, 5, 2)) == []


def test_a_stray_object_in_the_log_is_named(lake: Lake, spec: ModelSpec) -> None:
    lake.put(f"features/{spec.model}/README.txt", b"hello")
    with pytest.raises(ValueError, match=r"'features/churn/README.txt' is no key of a log"):
        slots(lake, spec.model, last=date(2024, 5, 2))
