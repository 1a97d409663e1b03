"""Windows of days, and the labels that were known at the end of an as-of date."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ct_assets.lake.production import compact_day
from ct_assets.lake.record import feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.lake.window import day_end, days_between, labelled, read_days, read_labels
from ct_assets.spec import ModelSpec

At = Callable[..., datetime]
Log = Callable[..., list[str]]


def day(number: int) -> date:
    return date(2024, 5, number)


def known(lake: Lake, spec: ModelSpec, as_of: int, first: int = 1, last: int = 3) -> dict[str, float]:
    table = labelled(lake, spec, first=day(first), last=day(last), as_of=day(as_of))
    return dict(zip(table["request_id"].to_pylist(), table["label"].to_pylist(), strict=True))


def test_days_between_holds_both_ends_and_nothing_backwards() -> None:
    assert days_between(date(2024, 2, 28), date(2024, 3, 1)) == [
        date(2024, 2, 28),
        date(2024, 2, 29),
        date(2024, 3, 1),
    ]
    assert days_between(day(1), day(1)) == [day(1)]
    assert days_between(day(2), day(1)) == []


def test_a_day_ends_where_the_next_begins() -> None:
    assert day_end(date(2024, 12, 31)) == datetime(2025, 1, 1, tzinfo=UTC)


def test_a_window_is_its_compacted_days_in_order(lake: Lake, spec: ModelSpec, log_rows: Log, at: At) -> None:
    log_rows(("b", at(2)), ("a", at(1)), ("c", at(3)))
    for number in (1, 2):
        compact_day(lake, spec, day(number))
    window = read_days(lake, spec, days_between(day(1), day(3)))
    assert window["request_id"].to_pylist() == ["a", "b"]  # the third day was never compacted
    assert window.schema == feature_log_schema(spec)


def written(lake: Lake, spec: ModelSpec, log_rows: Log, at: At) -> None:
    """Requests a, b, c on the first three days, compacted."""
    log_rows(("c", at(3)), ("a", at(1)), ("b", at(2)))
    for number in (1, 2, 3):
        compact_day(lake, spec, day(number))


def test_rows_come_with_their_labels_in_event_order(
    lake: Lake, spec: ModelSpec, log_rows: Log, log_labels: Log, at: At
) -> None:
    written(lake, spec, log_rows, at)
    log_labels(("c", 1, at(4)), ("b", 0, at(5)), ("a", 1, at(6)))
    table = labelled(lake, spec, first=day(1), last=day(3), as_of=day(6))
    assert table["request_id"].to_pylist() == ["a", "b", "c"]
    assert table["label"].to_pylist() == [1, 0, 1]
    assert table["label_time"].to_pylist() == [at(6), at(5), at(4)]
    assert table.column_names == [*feature_log_schema(spec).names, "label", "label_time"]


def test_a_row_without_a_label_is_left_out_and_a_label_without_a_row_too(
    lake: Lake, spec: ModelSpec, log_rows: Log, log_labels: Log, at: At
) -> None:
    written(lake, spec, log_rows, at)
    log_labels(("a", 1, at(4)), ("never asked", 1, at(4)))
    assert known(lake, spec, as_of=6) == {"a": 1}


def test_a_window_without_rows_or_labels_is_an_empty_table(lake: Lake, spec: ModelSpec) -> None:
    table = labelled(lake, spec, first=day(1), last=day(3), as_of=day(6))
    assert (table.num_rows, table.column_names[-2:]) == (0, ["label", "label_time"])


def test_only_the_days_asked_for_are_in_the_window(
    lake: Lake, spec: ModelSpec, log_rows: Log, log_labels: Log, at: At
) -> None:
    written(lake, spec, log_rows, at)
    log_labels(("a", 1, at(4)), ("b", 1, at(4)), ("c", 1, at(4)))
    assert list(known(lake, spec, as_of=6, first=2, last=2)) == ["b"]


def test_a_label_is_known_from_the_end_of_its_own_day(
    lake: Lake, spec: ModelSpec, log_rows: Log, log_labels: Log, at: At
) -> None:
    written(lake, spec, log_rows, at)
    log_labels(("a", 1, at(4, 23, 59)), ("b", 1, at(5, 0)))
    assert known(lake, spec, as_of=3) == {}
    assert known(lake, spec, as_of=4) == {"a": 1}
    assert known(lake, spec, as_of=5) == {"a": 1, "b": 1}


def test_a_correction_supersedes_from_its_own_day_on_and_the_past_stays_as_it_was_known(
    lake: Lake, spec: ModelSpec, log_rows: Log, log_labels: Log, at: At
) -> None:
    written(lake, spec, log_rows, at)
    log_labels(("a", 1, at(4)))
    log_labels(("a", 0, at(6)))
    assert known(lake, spec, as_of=5) == {"a": 1}
    assert known(lake, spec, as_of=6) == {"a": 0}


def test_of_two_labels_of_one_instant_the_later_received_counts(
    lake: Lake, spec: ModelSpec, log_rows: Log, log_labels: Log, at: At
) -> None:
    written(lake, spec, log_rows, at)
    log_labels(("a", 0, at(4), at(5, 2)))
    log_labels(("a", 1, at(4), at(5, 1)))
    assert known(lake, spec, as_of=6) == {"a": 0}


def test_the_same_label_sent_twice_is_one_row(
    lake: Lake, spec: ModelSpec, log_rows: Log, log_labels: Log, at: At
) -> None:
    written(lake, spec, log_rows, at)
    log_labels(("a", 1, at(4)), ("a", 1, at(4)))
    log_labels(("a", 1, at(4)), ("b", 1, at(4)))
    assert known(lake, spec, as_of=6) == {"a": 1, "b": 1}


@given(
    sent=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 1), st.integers(3, 8), st.integers(0, 59)),
        max_size=12,
    ),
    as_of=st.integers(3, 8),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_known_is_the_newest_label_of_those_sent_by_then(
    sent: list[tuple[str, int, int, int]],
    as_of: int,
    lake: Lake,
    spec: ModelSpec,
    log_labels: Log,
    wipe: Callable[[], None],
    at: At,
) -> None:
    wipe()
    for order, (name, label, number, minute) in enumerate(sent):
        log_labels((name, label, at(number, 12, minute), at(9, 0, order)))
    newest: dict[str, tuple[datetime, int, int]] = {}
    for order, (name, label, number, minute) in enumerate(sent):
        if number <= as_of:
            newest[name] = max(newest.get(name, (at(1), 0, 0)), (at(number, 12, minute), order, label))
    table = read_labels(lake, spec.model, first=day(1), as_of=day(as_of))
    found = dict(zip(table["request_id"].to_pylist(), table["label"].to_pylist(), strict=True))
    assert found == {name: label for name, (_, _, label) in newest.items()}
