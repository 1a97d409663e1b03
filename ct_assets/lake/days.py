"""What the lake holds of each day, from listings alone: the calendar's view of the feature log."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

from ct_assets.calendar import Slot
from ct_assets.lake.layout import day_of, day_prefix, log_prefix
from ct_assets.lake.store import Lake, Object, fingerprint

__all__ = ["day_slot", "slots"]


def day_slot(lake: Lake, model: str, day: date) -> Slot:
    """One day of the feature log; `objects` is 0 where nothing was logged."""
    return _slot(day, list(lake.list(day_prefix("features", model, day))))


def slots(lake: Lake, model: str, *, last: date, days: int | None = None) -> list[Slot]:
    """The days with rows up to `last`, oldest first: all of them, or the trailing `days` (cheaper on a long log)."""
    if days is not None:
        found = (day_slot(lake, model, last - timedelta(days=back)) for back in reversed(range(days)))
        return [slot for slot in found if slot.objects]
    by_day: defaultdict[date, list[Object]] = defaultdict(list)
    for item in lake.list(log_prefix("features", model)):
        by_day[day_of(item.key)].append(item)
    return [_slot(day, by_day[day]) for day in sorted(by_day) if day <= last]


def _slot(day: date, objects: list[Object]) -> Slot:
    return Slot(
        day=day,
        objects=len(objects),
        last_write=max((o.last_modified for o in objects), default=None),
        fingerprint=fingerprint(objects),
    )
