"""Which runs close the open days: whole ranges at first, single days after a failure, none past the cap.

Pure. A stock partition schedule runs yesterday only; this looks at what is missing, so an outage of some
days is caught up, and one bad day cannot hold up its neighbours: after a run that left a day open, each of
its days runs alone. What was tried often enough is named, so that a person sees it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from ct_assets.calendar import ranges

__all__ = ["Plan", "PlannedRun", "plan_runs"]


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run over contiguous days."""

    first: date
    last: date
    attempt: int
    """1 for the first try."""
    key: str
    """The same for the same days, contents and attempt: asked for twice, it runs once."""
    contents: dict[str, str]
    """ISO day -> what the day's window held when the run was planned."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The runs to start, oldest day first, and the days that are left to a person."""

    runs: tuple[PlannedRun, ...]
    given_up: tuple[date, ...]


def plan_runs(open_days: Mapping[date, str], tried: Mapping[tuple[date, str], int], *, attempts: int) -> Plan:
    """The plan for `open_days`.

    Args:
        open_days: closed days without a valid verdict, each with a digest of what its window holds.
        tried: runs that ended, by day and digest. That such a day is open still means that they achieved
            nothing. New data is a new digest, and gets fresh tries.
        attempts: most runs for the same day and digest.

    >>> a, b = date(2024, 5, 1), date(2024, 5, 2)
    >>> [f"{run.first:%d}-{run.last:%d}" for run in plan_runs({a: "x", b: "y"}, {}, attempts=3).runs]
    ['01-02']
    >>> after = {(a, "x"): 1, (b, "y"): 3}
    >>> plan = plan_runs({a: "x", b: "y"}, after, attempts=3)
    >>> [f"{run.first:%d}-{run.last:%d} attempt {run.attempt}" for run in plan.runs], plan.given_up
    (['01-01 attempt 2'], (datetime.date(2024, 5, 2),))
    """
    runs_of = {day: tried.get((day, contents), 0) for day, contents in open_days.items()}
    fresh = [day for day, runs in runs_of.items() if runs == 0]
    again = [(day, day) for day, runs in runs_of.items() if 0 < runs < attempts]
    runs = tuple(
        _planned(first, last, open_days, runs_of[first] + 1)
        for first, last in sorted([*ranges(fresh), *again])
    )
    return Plan(runs, tuple(sorted(day for day, tries in runs_of.items() if tries >= attempts)))


def _planned(first: date, last: date, open_days: Mapping[date, str], attempt: int) -> PlannedRun:
    contents = {day.isoformat(): open_days[day] for day in sorted(open_days) if first <= day <= last}
    digest = hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()[:12]
    return PlannedRun(first, last, attempt, f"{first}..{last}:{digest}:{attempt}", contents)
