"""The calendar's promises: what is never judged, what is caught up, what makes a day stale."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct_assets.calendar import (
    Rules,
    Slot,
    closed,
    days_to_close,
    due,
    live,
    newest_due_day,
    ranges,
    window_fingerprint,
)
from ct_assets.spec import CalendarSpec

RULES = Rules(grace=timedelta(hours=6), settle=timedelta(seconds=900), max_age=timedelta(days=2))
FIRST = date(2024, 5, 1)
DAY = timedelta(days=1)
quick = settings(max_examples=60, deadline=None)


def slot(
    n: int, *, objects: int = 3, fingerprint: str | None = None, last_write: datetime | None = None
) -> Slot:
    day = FIRST + n * DAY
    written = last_write or datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC)
    return Slot(day, objects, written if objects else None, fingerprint or f"f{n}")


def judged(*slots: Slot) -> dict[date, str]:
    return {s.day: s.fingerprint for s in slots}


moments = st.integers(0, 22 * 24 * 60).map(
    lambda minutes: datetime(2024, 4, 28, tzinfo=UTC) + timedelta(minutes=minutes)
)
slots_of_some_days = st.lists(
    st.builds(
        slot,
        st.integers(0, 12),
        objects=st.integers(0, 2),
        fingerprint=st.sampled_from("abc"),
        last_write=st.none() | moments,
    ),
    unique_by=lambda s: s.day,
    max_size=10,
)


def test_rules_come_from_the_models_calendar() -> None:
    rules = Rules.of(CalendarSpec(grace_s=3600, settle_s=60, max_age_days=3))
    assert rules == Rules(timedelta(hours=1), timedelta(minutes=1), timedelta(days=3))


def test_a_day_runs_from_utc_midnight_to_utc_midnight() -> None:
    assert slot(0).start == datetime(2024, 5, 1, tzinfo=UTC)
    assert slot(0).end == datetime(2024, 5, 2, tzinfo=UTC)


def test_today_is_never_judged() -> None:
    now = datetime(2024, 5, 1, 23, 59, tzinfo=UTC)
    quiet = slot(0, last_write=datetime(2024, 5, 1, 1, tzinfo=UTC))
    assert not due(quiet, now, RULES)
    assert days_to_close([quiet], {}, (), now, RULES) == []


def test_a_day_that_began_six_hours_ago_is_never_judged() -> None:
    now = datetime(2024, 5, 2, 6, tzinfo=UTC)  # the stock schedule's hour
    today = slot(1, last_write=datetime(2024, 5, 2, 1, tzinfo=UTC))
    assert days_to_close([slot(0), today], {}, (), now, RULES) == [slot(0)]


def test_a_day_is_due_at_its_end_plus_grace_and_not_a_second_earlier() -> None:
    at = datetime(2024, 5, 2, 6, tzinfo=UTC)
    assert due(slot(0), at, RULES)
    assert not due(slot(0), at - timedelta(seconds=1), RULES)


def test_a_due_day_that_is_still_written_to_is_not_closed() -> None:
    now = datetime(2024, 5, 2, 7, tzinfo=UTC)
    busy = slot(0, last_write=now - timedelta(seconds=899))
    assert due(busy, now, RULES)
    assert not closed(busy, now, RULES)
    assert closed(busy, now + timedelta(seconds=1), RULES)


def test_an_outage_of_four_days_is_caught_up_as_one_range() -> None:
    days = [slot(n) for n in range(6)]
    now = datetime(2024, 5, 7, 6, tzinfo=UTC)
    missed = days_to_close(days, judged(days[0], days[1]), (), now, RULES)
    assert missed == days[2:]
    assert ranges(s.day for s in missed) == [(days[2].day, days[5].day)]


def test_a_late_object_makes_a_judged_day_stale() -> None:
    now = datetime(2024, 5, 9, tzinfo=UTC)
    days = [slot(n) for n in range(3)]
    recorded = judged(*days)
    late = replace(days[1], objects=4, fingerprint="f1 and one more", last_write=now - timedelta(hours=1))
    assert days_to_close(days, recorded, (), now, RULES) == []
    assert days_to_close([days[0], late, days[2]], recorded, (), now, RULES) == [late]


def test_a_day_in_flight_is_not_asked_for_again() -> None:
    now = datetime(2024, 5, 9, tzinfo=UTC)
    assert days_to_close([slot(0), slot(1)], {}, {FIRST}, now, RULES) == [slot(1)]


def test_a_day_without_rows_is_never_judged() -> None:
    assert days_to_close([slot(0, objects=0)], {}, (), datetime(2024, 5, 9, tzinfo=UTC), RULES) == []


def test_a_late_object_makes_every_window_that_holds_its_day_stale() -> None:
    now = datetime(2024, 5, 20, tzinfo=UTC)
    days = [slot(n) for n in range(10)]
    recorded = {s.day: window_fingerprint(days[max(0, n - 6) : n + 1]) for n, s in enumerate(days)}
    assert days_to_close(days, recorded, (), now, RULES, window_days=7) == []
    late = [replace(s, fingerprint="changed") if n == 2 else s for n, s in enumerate(days)]
    stale = days_to_close(late, recorded, (), now, RULES, window_days=7)
    assert [s.day for s in stale] == [s.day for s in days[2:9]]


def test_a_window_is_left_alone_until_all_of_it_is_quiet() -> None:
    now = datetime(2024, 5, 9, tzinfo=UTC)
    loading = slot(0, last_write=now - timedelta(seconds=5))
    assert days_to_close([loading, slot(1)], {}, (), now, RULES, window_days=7) == []
    assert days_to_close([loading, slot(1)], {}, (), now, RULES) == [slot(1)]


def test_the_window_of_one_day_has_that_days_fingerprint() -> None:
    assert window_fingerprint([slot(0)]) == "f0"
    assert window_fingerprint([slot(0), slot(1, objects=0)]) == "f0"
    assert window_fingerprint([]) != window_fingerprint([slot(0), slot(1)])


def test_a_window_tells_equal_contents_of_different_days_apart() -> None:
    a, b, c = slot(0, fingerprint="x"), slot(1, fingerprint="x"), slot(2, fingerprint="x")
    assert window_fingerprint([a, b]) != window_fingerprint([b, c])


def test_live_is_the_newest_due_day_with_rows_whatever_was_judged() -> None:
    now = datetime(2024, 5, 4, 6, tzinfo=UTC)
    assert live([slot(0), slot(1), slot(2, objects=0), slot(3)], now, RULES) == slot(1)
    assert live([slot(3)], now, RULES) is None
    assert live([], now, RULES) is None


def test_the_newest_due_day_is_counted_in_utc_wherever_the_clock_is() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert newest_due_day(datetime(2024, 5, 3, 14, 59, tzinfo=tokyo), RULES) == date(2024, 5, 1)
    assert newest_due_day(datetime(2024, 5, 3, 15, 0, tzinfo=tokyo), RULES) == date(2024, 5, 2)


@quick
@given(moments)
def test_the_newest_due_day_is_due_and_the_next_one_is_not(now: datetime) -> None:
    newest = newest_due_day(now, RULES)
    assert due(Slot(newest, 1, None, ""), now, RULES)
    assert not due(Slot(newest + DAY, 1, None, ""), now, RULES)


@quick
@given(slots_of_some_days, moments)
def test_what_is_to_be_judged_is_closed_has_rows_and_comes_in_order(slots: list[Slot], now: datetime) -> None:
    found = days_to_close(slots, {}, (), now, RULES)
    assert found == sorted((s for s in slots if s.objects and closed(s, now, RULES)), key=lambda s: s.day)


@quick
@given(slots_of_some_days, moments, st.sampled_from([1, 7, 30]))
def test_recording_what_was_judged_leaves_nothing_to_judge(
    slots: list[Slot], now: datetime, window_days: int
) -> None:
    recorded: dict[date, str] = {}
    for s in days_to_close(slots, {}, (), now, RULES, window_days=window_days):
        recorded[s.day] = window_fingerprint(
            [w for w in slots if timedelta() <= s.day - w.day < window_days * DAY]
        )
    assert days_to_close(slots, recorded, (), now, RULES, window_days=window_days) == []


@quick
@given(slots_of_some_days, moments, st.randoms())
def test_neither_live_nor_a_fingerprint_depends_on_the_order_of_a_listing(
    slots: list[Slot], now: datetime, rng: Random
) -> None:
    shuffled = list(slots)
    rng.shuffle(shuffled)
    assert live(slots, now, RULES) == live(shuffled, now, RULES)
    assert window_fingerprint(slots) == window_fingerprint(shuffled)


@quick
@given(slots_of_some_days, moments, moments)
def test_the_live_day_never_moves_back_as_time_passes(slots: list[Slot], a: datetime, b: datetime) -> None:
    before, after = live(slots, min(a, b), RULES), live(slots, max(a, b), RULES)
    assert before is None or (after is not None and after.day >= before.day)


@quick
@given(st.lists(st.integers(0, 40).map(lambda n: FIRST + n * DAY)))
def test_ranges_hold_exactly_the_given_days_and_never_touch(days: list[date]) -> None:
    found = ranges(days)
    covered = [a + n * DAY for a, b in found for n in range((b - a).days + 1)]
    assert covered == sorted(set(days))
    assert all(after[0] - before[1] > DAY for before, after in pairwise(found))


@pytest.mark.parametrize("window_days", [1, 7])
def test_days_given_in_any_order_come_out_oldest_first(window_days: int) -> None:
    now = datetime(2024, 5, 20, tzinfo=UTC)
    found = days_to_close([slot(4), slot(0), slot(2)], {}, (), now, RULES, window_days=window_days)
    assert [s.day for s in found] == [FIRST, FIRST + 2 * DAY, FIRST + 4 * DAY]
