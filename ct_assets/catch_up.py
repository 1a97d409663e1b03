"""Which runs close the open days: whole ranges at first, single days after a failure, none past the cap.

Pure. A stock partition schedule runs yesterday only; this looks at what is missing, so an outage of some
days is caught up, and one bad day cannot hold up its neighbours: after a failed run of a range, each of
its days runs alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from ct_assets.calendar import Slot, ranges

__all__ = ["PlannedRun", "plan_runs"]


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
    """ISO day -> fingerprint of what the day held when the run was planned."""


def plan_runs(open_days: Sequence[Slot], failures: Mapping[tuple[date, str], int], *, attempts: int) -> list[PlannedRun]:
    """Runs for `open_days`.

    Args:
        open_days: closed days without a valid verdict.
        failures: failed runs so far by (day, fingerprint). New data means a new fingerprint, and fresh tries.
        attempts: most runs for the same day and fingerprint.
    """
    slots = {slot.day: slot for slot in open_days}
    failed = {slot.day: failures.get((slot.day, slot.fingerprint), 0) for slot in open_days}
    fresh = [day for day in slots if failed[day] == 0]
    again = [day for day in slots if 0 < failed[day] < attempts]
    spans = [*ranges(fresh), *((day, day) for day in again)]
    return [_planned(first, last, slots, failed[first] + 1) for first, last in sorted(spans)]


def _planned(first: date, last: date, slots: Mapping[date, Slot], attempt: int) -> PlannedRun:
    contents = {d.isoformat(): slots[d].fingerprint for d in sorted(slots) if first <= d <= last}
    digest = hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()[:12]
    return PlannedRun(first, last, attempt, f"{first}..{last}:{digest}:{attempt}", contents)
