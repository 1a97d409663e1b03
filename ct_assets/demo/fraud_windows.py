"""Trailing windows of one entity (customer or terminal) over sorted rows: exact counts and sums, in days.

Every row gets one integer key, entity times a span longer than the whole history plus its time; keys sort
by entity and time at once, and the start of a window is a binary search. Sums are of integers, so a row's
window is the same to the last bit whatever is generated after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ct_assets.demo.fraud_population import Ints

_DAY_US = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class EntityWindows:
    """Rows (in order of time) grouped by entity.

    >>> hour = 3_600_000_000
    >>> windows = EntityWindows.of(np.array([7, 3, 7, 7]), np.array([0, 5, 20, 40]) * hour, reach_days=1)
    >>> windows.place + 1 - windows.since(1)  # transactions of the entity in the last 24 hours, itself included
    array([1, 1, 2, 2])
    >>> cents, start = windows.sums(np.array([100, 900, 250, 50])), windows.since(1)
    >>> cents[windows.place + 1] - cents[start]
    array([100, 900, 350, 300])
    """

    order: Ints
    """(rows,) the row at each place of the entity order."""
    place: Ints
    """(rows,) where each row stands in the entity order."""
    keys: Ints
    """(rows,) ascending: the key at each place."""

    @classmethod
    def of(cls, entity: Ints, time_us: Ints, reach_days: int) -> EntityWindows:
        """Index rows for windows that reach back up to `reach_days` days."""
        reach_us = (reach_days + 1) * _DAY_US
        span = int(time_us[-1] - time_us[0]) + 2 * reach_us
        key = entity * span + (time_us - time_us[0]) + reach_us
        order = np.argsort(key, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return cls(order, place, key[order])

    def since(self, days: float) -> Ints:
        """(rows,) the first place of each row's entity later than `days` days before the row's time."""
        return np.searchsorted(self.keys, self.keys - round(days * _DAY_US), side="right")[self.place]

    def sums(self, value: Ints) -> Ints:
        """(rows + 1,) running sums in entity order: places a..b-1 sum to `sums[b] - sums[a]`."""
        return np.concatenate([[0], np.cumsum(value[self.order])]).astype(np.int64)
