"""Repeated measurements as a median with the range that they were seen in; ratios of paired runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Spread", "ratio", "spread"]


@dataclass(frozen=True, slots=True)
class Spread:
    """What several runs gave. The range is told because on a shared machine one number says little."""

    median: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if self.n == 1:
            return f"{self.median:.3g}"
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g}, n={self.n})"


def spread(values: Sequence[float]) -> Spread:
    """Median and range; ValueError without values, or with one that is not a number.

    >>> str(spread([1.0, 9.0, 2.0]))
    '2 (1 to 9, n=3)'
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(f"no median of {list(values)}: every run must give a finite number")
    return Spread(median(values), min(values), max(values), len(values))


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """How many times `above` is `below`, run by run: run them in turns, and the machine's other load falls out.

    >>> str(ratio([10.0, 22.0, 30.0], [1.0, 2.0, 3.0]))
    '10 (10 to 11, n=3)'
    """
    if len(above) != len(below):
        raise ValueError(f"{len(above)} runs against {len(below)}: a ratio needs them in pairs")
    if any(value <= 0 for value in below):
        raise ValueError(f"no ratio to {list(below)}: every run below must take more than nothing")
    return spread([a / b for a, b in zip(above, below, strict=True)])
