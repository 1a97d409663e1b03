"""Which days a model of an as-of day is trained on and judged on.

At the end of the as-of day, labels are mature up to `label_delay_days` before it, counted by event time and
not by the wall clock, so a replayed day decides as the live one did. The newest mature days are the holdout,
never trained on; the training window is the `window_days` before them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from ct_assets.spec import ModelSpec

__all__ = ["TrainingWindow"]


@dataclass(frozen=True)
class TrainingWindow:
    """Both ends of each part are included.

    >>> from ct_assets.spec import ModelSpec
    >>> spec = ModelSpec(model="m", entity="user", label="bad", features={"amount": "numerical"})
    >>> w = TrainingWindow.of(spec, date(2026, 4, 30))              # 7 days of label delay, 3 of holdout, 90 of training
    >>> print(w.holdout_start, w.holdout_end, w.train_start, w.train_end)
    2026-04-21 2026-04-23 2026-01-21 2026-04-20
    """

    as_of: date
    train_start: date
    train_end: date
    holdout_start: date
    holdout_end: date

    @classmethod
    def of(cls, spec: ModelSpec, as_of: date) -> TrainingWindow:
        """The window of a model that knows what was known at the end of `as_of`."""
        holdout_end = as_of - timedelta(days=spec.label_delay_days)
        holdout_start = holdout_end - timedelta(days=spec.training.holdout_days - 1)
        train_end = holdout_start - timedelta(days=1)
        train_start = train_end - timedelta(days=spec.training.window_days - 1)
        return cls(as_of, train_start, train_end, holdout_start, holdout_end)

    def train_days(self) -> list[date]:
        return _days(self.train_start, self.train_end)

    def holdout_days(self) -> list[date]:
        return _days(self.holdout_start, self.holdout_end)

    def days(self) -> list[date]:
        """Training days, then holdout days: one unbroken stretch."""
        return _days(self.train_start, self.holdout_end)

    def train_bounds(self) -> tuple[datetime, datetime]:
        """First instant of the training window, first instant after it (UTC)."""
        return _start(self.train_start), _start(self.holdout_start)

    def holdout_bounds(self) -> tuple[datetime, datetime]:
        return _start(self.holdout_start), _start(self.holdout_end + timedelta(days=1))


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
