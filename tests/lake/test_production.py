"""A day of production features: live answers only, one row a request, whatever was written twice or late."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ct_assets.lake.days import day_slot
from ct_assets.lake.layout import hour_prefix, production_key
from ct_assets.lake.production import compact_day, compacted_fingerprint
from ct_assets.lake.store import Lake
from ct_assets.lake.tables import RecordError
from ct_assets.lake.window import read_days
from ct_assets.spec import ModelSpec

At = Callable[..., datetime]
LogRows = Callable[..., list[str]]
DAY = date(2024, 5, 1)


def rows_of(lake: Lake, spec: ModelSpec) -> pa.Table:
    return read_days(lake, spec, [DAY])


def test_a_day_holds_the_rows_of_its_events_and_no_others(
    lake: Lake, spec: ModelSpec, log_rows: LogRows, at: At
) -> None:
    log_rows(
        ("before", at(1, 0).replace(month=4, day=30, hour=23)), ("first", at(1, 0)), ("last", at(1, 23, 59))
    )
    log_rows(("after", at(2, 0)))
    assert compact_day(lake, spec, DAY).rows == 2
    assert rows_of(lake, spec)["request_id"].to_pylist() == ["first", "last"]


def test_rows_are_sorted_by_event_time_then_request(
    lake: Lake, spec: ModelSpec, log_rows: LogRows, at: At
) -> None:
    log_rows(("c", at(1, 9)), ("a", at(1, 10)))
    log_rows(("b", at(1, 9)))
    compact_day(lake, spec, DAY)
    assert rows_of(lake, spec)["request_id"].to_pylist() == ["b", "c", "a"]


def test_a_request_answered_twice_is_one_row_the_answer_received_last(
    lake: Lake, spec: ModelSpec, log_rows: LogRows, at: At
) -> None:
    log_rows(("a", at(1, 9), {"received_at": at(1, 9, 2), "amount": 2.0}))
    log_rows(("a", at(1, 9), {"received_at": at(1, 9, 1), "amount": 1.0}))
    log_rows(("a", at(1, 10), {"received_at": at(1, 10), "amount": 3.0}))
    found = compact_day(lake, spec, DAY)
    assert (found.rows, found.duplicates, found.objects) == (1, 2, 3)
    assert rows_of(lake, spec)["amount"].to_pylist() == [3.0]


def test_shadow_answers_are_left_out_and_counted(
    lake: Lake, spec: ModelSpec, log_rows: LogRows, at: At
) -> None:
    log_rows(
        ("a", at(1), {"variant": "shadow", "model_version": "2", "received_at": at(1, 11)}),
        ("a", at(1)),
        ("b", at(1), {"variant": "challenger", "model_version": "2"}),
    )
    found = compact_day(lake, spec, DAY)
    assert (found.rows, found.shadow_rows, found.duplicates) == (2, 1, 0)
    assert found.versions == {"1": 1, "2": 1}
    assert rows_of(lake, spec)["variant"].to_pylist() == ["champion", "challenger"]


def test_missing_values_are_counted_by_feature(
    lake: Lake, spec: ModelSpec, log_rows: LogRows, at: At
) -> None:
    log_rows(("a", at(1), {"plan": None}), ("b", at(1), {"plan": None}), ("c", at(1)))
    assert compact_day(lake, spec, DAY).nulls == {"plan": 2}


def test_a_late_row_joins_its_own_day_and_makes_it_stale(
    lake: Lake, spec: ModelSpec, log_rows: LogRows, at: At
) -> None:
    log_rows(("a", at(1)))
    compact_day(lake, spec, DAY)
    before = compacted_fingerprint(lake, spec.model, DAY)
    assert before == day_slot(lake, spec.model, DAY).fingerprint
    log_rows(("late", at(1, 12, 30), {"received_at": at(3)}))
    assert day_slot(lake, spec.model, DAY).fingerprint != before
    assert compact_day(lake, spec, DAY).rows == 2
    assert compacted_fingerprint(lake, spec.model, DAY) == day_slot(lake, spec.model, DAY).fingerprint


def test_compacting_again_changes_nothing(lake: Lake, spec: ModelSpec, log_rows: LogRows, at: At) -> None:
    log_rows(("b", at(1, 9)), ("a", at(1, 9)), ("c", at(1, 11)))
    first = compact_day(lake, spec, DAY)
    body = lake.get(production_key(spec.model, DAY))
    assert compact_day(lake, spec, DAY) == first
    assert lake.get(production_key(spec.model, DAY)) == body


def test_an_empty_day_is_an_empty_table_and_a_day_never_compacted_is_none(
    lake: Lake, spec: ModelSpec
) -> None:
    assert compacted_fingerprint(lake, spec.model, DAY) is None
    found = compact_day(lake, spec, DAY)
    assert (found.rows, found.objects, found.nulls, found.versions) == (0, 0, {}, {})
    assert compacted_fingerprint(lake, spec.model, DAY) == found.fingerprint
    assert rows_of(lake, spec).num_rows == 0


def test_a_corrupt_object_stops_the_day_by_name_and_keeps_the_older_one(
    lake: Lake, spec: ModelSpec, log_rows: LogRows, at: At
) -> None:
    log_rows(("a", at(1)))
    compact_day(lake, spec, DAY)
    before = lake.get(production_key(spec.model, DAY))
    key = f"{hour_prefix('features', spec.model, at(1))}broken.parquet"
    lake.put(key, b"PAR1 and then the disk was full")
    with pytest.raises(RecordError, match=key):
        compact_day(lake, spec, DAY)
    assert lake.get(production_key(spec.model, DAY)) == before


def test_rows_of_a_log_with_fewer_features_are_kept(
    lake: Lake, spec: ModelSpec, log_rows: LogRows, at: At
) -> None:
    (key,) = log_rows(("a", at(1)))
    table = lake.read_table(key)
    assert table is not None
    lake.put_table(key, table.drop_columns(["plan"]))
    assert compact_day(lake, spec, DAY).nulls == {"plan": 1}


@given(
    batches=st.lists(
        st.lists(
            st.tuples(st.sampled_from("abcdef"), st.integers(0, 23), st.booleans()), min_size=1, max_size=5
        ),
        max_size=5,
    )
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_is_kept_once_dropped_as_duplicate_or_left_out_as_shadow(
    batches: list[list[tuple[str, int, bool]]],
    lake: Lake,
    spec: ModelSpec,
    log_rows: LogRows,
    wipe: Callable[[], None],
    at: At,
) -> None:
    wipe()
    for number, batch in enumerate(batches):
        received = at(2, 0, number)  # no two batches are the same bytes
        log_rows(
            *(
                (name, at(1, hour), {"variant": "shadow" if shadow else "champion", "received_at": received})
                for name, hour, shadow in batch
            )
        )
    found = compact_day(lake, spec, DAY)
    written = [row for batch in batches for row in batch]
    assert found.rows + found.duplicates + found.shadow_rows == len(written)
    assert sorted(rows_of(lake, spec)["request_id"].to_pylist()) == sorted(
        {n for n, _, shadow in written if not shadow}
    )
