"""Which days may be judged, which must be judged (again), and which one counts as live. Pure; days are UTC days.

A row belongs to the UTC day of its event time. A day is *due* a grace after its end, *closed* once it is also quiet,
and *live* while it is the newest due day with rows. What ran already has no say in that, so an old day of a backfill
can never be live. The same rules serve a cron at six, a catch-up after an outage and an accelerated demo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self

from ct_assets.spec import CalendarSpec

__all__ = [
    "Rules",
    "Slot",
    "closed",
    "days_to_close",
    "due",
    "live",
    "newest_due_day",
    "ranges",
    "window_fingerprint",
]

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Slot:
    """What the lake holds of one day."""

    day: date
    objects: int
    last_write: datetime | None
    """When the newest object was written (aware); None where there is none, or where it does not matter."""
    fingerprint: str
    """Digest of the day's objects: it changes when, and only when, they do."""

    @property
    def start(self) -> datetime:
        """The day's first instant, UTC."""
        return datetime.combine(self.day, time(), UTC)

    @property
    def end(self) -> datetime:
        """The next day's first instant, UTC."""
        return self.start + _DAY


@dataclass(frozen=True, slots=True)
class Rules:
    """How long a day is waited for, and how long it stays live."""

    grace: timedelta
    """A day is due this long after its end."""
    settle: timedelta
    """A due day is closed once its newest object is this old."""
    max_age: timedelta
    """A day that was due longer ago than this is history."""

    @classmethod
    def of(cls, calendar: CalendarSpec) -> Self:
        return cls(
            grace=timedelta(seconds=calendar.grace_s),
            settle=timedelta(seconds=calendar.settle_s),
            max_age=timedelta(days=calendar.max_age_days),
        )


def due(slot: Slot, now: datetime, rules: Rules) -> bool:
    """Whether the day ended at least a grace ago: today never did, nor did a day that is six hours old."""
    return now >= slot.end + rules.grace


def closed(slot: Slot, now: datetime, rules: Rules) -> bool:
    """Whether the day is due and quiet: nothing was written to it for `settle`."""
    return due(slot, now, rules) and (slot.last_write is None or now - slot.last_write >= rules.settle)


def live(slots: Iterable[Slot], now: datetime, rules: Rules) -> Slot | None:
    """The newest due day with rows, whatever has run; None without one. Its age is for the trigger to judge."""
    found = (slot for slot in slots if slot.objects and due(slot, now, rules))
    return max(found, key=lambda slot: slot.day, default=None)


def newest_due_day(now: datetime, rules: Rules) -> date:
    """The newest day that is due at `now` (aware), with rows or without.

    >>> rules = Rules(grace=timedelta(hours=6), settle=timedelta(minutes=15), max_age=timedelta(days=2))
    >>> newest_due_day(datetime(2024, 5, 3, 5, 59, tzinfo=UTC), rules).isoformat()
    '2024-05-01'
    >>> newest_due_day(datetime(2024, 5, 3, 6, 0, tzinfo=UTC), rules).isoformat()
    '2024-05-02'
    """
    return (now.astimezone(UTC) - rules.grace).date() - _DAY


def window_fingerprint(slots: Iterable[Slot]) -> str:
    """Digest of what a window held. Of a single day with rows it is that day's own; empty days say nothing."""
    held = sorted((slot.day, slot.fingerprint) for slot in slots if slot.objects)
    if len(held) == 1:
        return held[0][1]
    lines = "".join(f"{day}\t{fingerprint}\n" for day, fingerprint in held)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def days_to_close(
    slots: Iterable[Slot],
    recorded: Mapping[date, str],
    in_flight: Collection[date],
    now: datetime,
    rules: Rules,
    *,
    window_days: int = 1,
) -> list[Slot]:
    """The days to judge now, oldest first: closed, and without a verdict on what their window holds at present.

    Args:
        slots: the known days, each once, in any order; those of the windows' first days among them.
        recorded: day -> the window fingerprint that its verdict read. One that differs makes the day stale.
        in_flight: days that a run is judging at this moment.
        now: aware.
        window_days: trailing days of a verdict, the day itself among them. A window in which any day is still
            being written is left alone until it is quiet, or each late object would cost a verdict.
    """
    by_day = {slot.day: slot for slot in slots if slot.objects}
    wanted: list[Slot] = []
    for day in sorted(by_day.keys() - set(in_flight)):
        window = [by_day[d] for back in range(window_days) if (d := day - back * _DAY) in by_day]
        quiet = all(closed(slot, now, rules) for slot in window)
        if quiet and recorded.get(day) != window_fingerprint(window):
            wanted.append(by_day[day])
    return wanted


def ranges(days: Iterable[date]) -> list[tuple[date, date]]:
    """Contiguous runs of `days` as (first, last), in order; a day given twice counts once.

    >>> [f"{a:%d}-{b:%d}" for a, b in ranges([date(2024, 5, 3), date(2024, 5, 1), date(2024, 5, 2), date(2024, 5, 9)])]
    ['01-03', '09-09']
    """
    found: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if found and day - found[-1][1] == _DAY:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
