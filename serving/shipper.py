"""Moves rows from memory to the lake: a bounded buffer, and the thread that empties it in batches.

A batch leaves when it has `flush_rows` rows or its oldest row is `flush_s` seconds old. While a put is
slow the buffer grows and the next batch takes all of it, so load makes objects larger, not more of them.
A failed put keeps its batch unchanged: the objects' names are digests of their rows, so that a retry
after a half-finished write adds nothing twice. For every row offered and taken:
accepted = shipped + buffered + dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from serving.backoff import Throttle, backoff_s
from serving.metrics import LogMetrics

__all__ = ["Row", "Shipper"]

Row = tuple[Any, ...]
_log = logging.getLogger(__name__)


class Shipper:
    """The rows of one log on their way. `offer` may be called from any thread and never waits for the lake."""

    def __init__(
        self,
        write: Callable[[Sequence[Row]], object],
        metrics: LogMetrics,
        *,
        flush_rows: int,
        flush_s: float,
        capacity: int,
        retry_first_s: float = 0.5,
        retry_cap_s: float = 30.0,
    ) -> None:
        """`write` puts a batch into the lake or raises; `capacity` bounds all rows held, those being written included."""
        self._write = write
        self._metrics = metrics
        self._flush_rows = flush_rows
        self._flush_s = flush_s
        self._capacity = capacity
        self._retry_first_s = retry_first_s
        self._retry_cap_s = retry_cap_s
        self._rows: list[Row] = []
        self._oldest_s = 0.0
        self._in_flight = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._throttle = Throttle(_log)
        self._thread = threading.Thread(target=self._run, name=f"ship-{metrics.log}", daemon=True)
        metrics.buffered.set_function(lambda: self.buffered)

    @property
    def buffered(self) -> int:
        """Rows held, those of a batch that is being written included."""
        return len(self._rows) + self._in_flight

    @property
    def full(self) -> bool:
        return self.buffered >= self._capacity

    def start(self) -> None:
        self._thread.start()

    def offer(self, rows: Sequence[Row]) -> bool:
        """Takes all of `rows`, or none and False where they do not fit."""
        with self._changed:
            if self.buffered + len(rows) > self._capacity:
                return False
            if not self._rows:
                self._oldest_s = time.monotonic()
            before = len(self._rows)
            self._rows.extend(rows)
            if before == 0 or before < self._flush_rows <= len(self._rows):
                self._changed.notify()
        self._metrics.accepted.inc(len(rows))
        return True

    def close(self, timeout_s: float) -> int:
        """Writes what is held, for at most `timeout_s` seconds; returns the rows that were lost (counted as dropped)."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(timeout_s)
        lost = self.buffered if self._thread.is_alive() else 0
        if lost:
            self._metrics.dropped.inc(lost)
            _log.error(
                "%s log: stopped with %d rows that the lake did not take within %g s",
                self._metrics.log,
                lost,
                timeout_s,
            )
        return lost

    def _run(self) -> None:
        while batch := self._next_batch():
            self._ship(batch)
            self._in_flight = 0

    def _next_batch(self) -> list[Row]:
        """Waits for a batch; empty once closing and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._rows or self._closing.is_set())
            rest_s = self._oldest_s + self._flush_s - time.monotonic()
            self._changed.wait_for(
                lambda: len(self._rows) >= self._flush_rows or self._closing.is_set(), max(0.0, rest_s)
            )
            batch, self._rows = self._rows, []
            self._in_flight = len(batch)
        return batch

    def _ship(self, batch: list[Row]) -> None:
        """Puts `batch`, however often it takes."""
        failures = 0
        while True:
            try:
                self._write(batch)
            except (TypeError, ValueError, OverflowError) as error:  # the rows themselves: no retry can help
                self._metrics.dropped.inc(len(batch))
                self._throttle.error(
                    "rows",
                    f"{self._metrics.log} log: dropped {len(batch)} rows that no table can hold: {error!r}",
                )
                return
            except Exception as error:  # noqa: BLE001  each store has its own classes; a thread that dies loses all rows
                failures += 1
                self._metrics.put_failures.inc()
                wait_s = backoff_s(failures, first_s=self._retry_first_s, cap_s=self._retry_cap_s)
                self._throttle.error(
                    "put",
                    f"{self._metrics.log} log: put of {len(batch)} rows failed, next try in {wait_s:g} s: {error!r}",
                )
                # When closing there is no time for patience, but none for a busy loop either.
                if self._closing.wait(wait_s):
                    time.sleep(self._retry_first_s)
            else:
                self._metrics.shipped.inc(len(batch))
                return
