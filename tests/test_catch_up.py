"""Catching up: every open day is run once, or is given up by name; after a run that left it open a day runs alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ct_assets.catch_up import Plan, PlannedRun, plan_runs

FIRST = date(2024, 5, 1)


def day(number: int) -> date:
    """Days are counted from the first of May."""
    return FIRST + timedelta(days=number)


def plan(
    numbers: Iterable[int], tried: Mapping[int, int] | None = None, attempts: int = 3, contents: str = "now"
) -> Plan:
    """The plan for the open days `numbers`; `tried` are ended runs of what they held as `now`."""
    runs = {(day(number), f"now{number}"): count for number, count in (tried or {}).items()}
    return plan_runs({day(number): f"{contents}{number}" for number in numbers}, runs, attempts=attempts)


def spans(runs: Iterable[PlannedRun]) -> list[tuple[int, int, int]]:
    """(first, last, attempt) of each."""
    return [((run.first - FIRST).days, (run.last - FIRST).days, run.attempt) for run in runs]


def test_nothing_open_is_nothing_to_run() -> None:
    assert plan([]) == Plan((), ())


def test_contiguous_days_are_one_run() -> None:
    assert spans(plan([2, 0, 1]).runs) == [(0, 2, 1)]


def test_a_gap_parts_two_runs() -> None:
    assert spans(plan([0, 1, 3]).runs) == [(0, 1, 1), (3, 3, 1)]


def test_after_a_range_that_left_them_open_each_day_runs_alone() -> None:
    assert spans(plan([0, 1, 2], {0: 1, 1: 1, 2: 1}).runs) == [(0, 0, 2), (1, 1, 2), (2, 2, 2)]


def test_a_bad_day_does_not_hold_up_its_neighbours() -> None:
    assert spans(plan([0, 1, 2], {1: 2}).runs) == [(0, 0, 1), (1, 1, 3), (2, 2, 1)]


def test_a_day_past_its_attempts_is_left_to_a_person_by_name() -> None:
    found = plan([2, 0, 1], {0: 3, 2: 4})
    assert (spans(found.runs), found.given_up) == ([(1, 1, 1)], (day(0), day(2)))
    assert plan([0], {0: 1}, attempts=1) == Plan((), (day(0),))


def test_new_contents_give_a_day_fresh_tries() -> None:
    assert spans(plan([0], {0: 3}, contents="late").runs) == [(0, 0, 1)]


def test_a_run_carries_what_each_of_its_days_held() -> None:
    (run,) = plan([1, 0]).runs
    assert run.contents == {"2024-05-01": "now0", "2024-05-02": "now1"}


def test_the_same_work_asked_for_twice_has_the_same_key() -> None:
    assert plan([0, 1]).runs[0].key == plan([1, 0]).runs[0].key


def test_another_try_other_contents_or_another_range_has_another_key() -> None:
    plans = [plan([0, 1]), plan([0, 1], contents="late"), plan([0]), plan([0], {0: 1}), plan([0], {0: 2})]
    assert len({run.key for found in plans for run in found.runs}) == len(plans)


OPEN = st.sets(st.integers(0, 40), max_size=20)
TRIED = st.dictionaries(st.integers(0, 40), st.integers(0, 5))


@given(numbers=OPEN, tried=TRIED, attempts=st.integers(1, 4))
def test_every_open_day_is_run_once_or_given_up(
    numbers: set[int], tried: dict[int, int], attempts: int
) -> None:
    found = plan(numbers, tried, attempts)
    times = Counter(number for first, last, _ in spans(found.runs) for number in range(first, last + 1))
    spent = {number for number in numbers if tried.get(number, 0) >= attempts}
    assert times == Counter(numbers - spent)
    assert found.given_up == tuple(day(number) for number in sorted(spent))


@given(numbers=OPEN, tried=TRIED, attempts=st.integers(1, 4))
def test_a_retry_is_of_a_single_day_and_counts_its_tries(
    numbers: set[int], tried: dict[int, int], attempts: int
) -> None:
    for first, last, attempt in spans(plan(numbers, tried, attempts).runs):
        if attempt > 1:
            assert (first, attempt) == (last, tried[first] + 1)
            assert attempt <= attempts
        else:
            assert not any(tried.get(number) for number in range(first, last + 1))


@given(numbers=OPEN, attempts=st.integers(1, 4), bad=st.sets(st.integers(0, 40)))
def test_ticks_end_with_every_good_day_done_and_every_bad_one_tried_to_the_cap(
    numbers: set[int], attempts: int, bad: set[int]
) -> None:
    """A run leaves all of its days open when any of them is bad."""
    open_days, tried, keys = set(numbers), Counter[int](), list[str]()
    for _ in range(attempts + 1):
        for run in plan(open_days, tried, attempts).runs:
            keys.append(run.key)
            ((first, last, _),) = spans([run])
            covered = set(range(first, last + 1))
            tried.update(covered)
            if not covered & bad:
                open_days -= covered
    assert len(set(keys)) == len(keys)  # a key that was used already would never run
    end = plan(open_days, tried, attempts)
    assert end.runs == ()
    assert end.given_up == tuple(day(number) for number in sorted(open_days))
    assert open_days >= numbers & bad
    if attempts > 1:
        assert open_days == numbers & bad
