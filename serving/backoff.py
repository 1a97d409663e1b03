"""Patience: how long to wait after repeated failures (seconds), and how often to log the same one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

__all__ = ["Throttle", "backoff_s"]


def backoff_s(failures: int, *, first_s: float, cap_s: float) -> float:
    """Seconds until the next try after `failures` failed ones in a row: doubling, up to `cap_s`.

    >>> [backoff_s(n, first_s=0.5, cap_s=30) for n in (1, 2, 3, 10, 10_000)]
    [0.5, 1.0, 2.0, 30, 30]
    """
    return min(cap_s, first_s * 2.0 ** min(failures - 1, 30))


class Throttle:
    """Logs an event of a kind at most once in `every_s` seconds, with the number that was kept quiet since."""

    def __init__(
        self, logger: logging.Logger, *, every_s: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._every_s = every_s
        self._clock = clock
        self._last: dict[str, float] = {}
        self._quiet: dict[str, int] = {}

    def error(self, kind: str, message: str) -> None:
        now = self._clock()
        if now - self._last.get(kind, float("-inf")) < self._every_s:
            self._quiet[kind] = self._quiet.get(kind, 0) + 1
            return
        self._last[kind] = now
        quiet = self._quiet.pop(kind, 0)
        self._logger.error(
            "%s%s", message, f" (and {quiet} more of this kind since the last line)" if quiet else ""
        )
