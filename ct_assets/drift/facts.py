"""What the trigger looks at: the live day, the judged days, the champion, what is in flight, and the labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias

from ct_assets.calendar import Slot
from ct_assets.drift.verdict import Outcome

__all__ = ["Facts", "Judged", "LabelSufficiency"]


@dataclass(frozen=True, slots=True)
class Judged:
    """The stored verdict of a day, as the check history knows it."""

    day: date
    outcome: Outcome
    fingerprint: str
    champion: str | None
    evaluation: str
    """Names the evaluation: a day judged anew has another one."""
    reason: str


@dataclass(frozen=True, slots=True)
class LabelSufficiency:
    """Mature labels of the training window that would be built now, and the least that it needs."""

    rows_mature: int
    positives: int
    needed_rows: int
    needed_positives: int
    sufficient_from: date | None
    """First as-of day with enough of both, as far as the rows logged so far can tell; None: none in sight."""
    lack: str = ""
    """A class that the training window or the holdout is short of, in words; empty: none."""

    @property
    def sufficient(self) -> bool:
        enough = self.rows_mature >= self.needed_rows and self.positives >= self.needed_positives
        return enough and not self.lack


Labels: TypeAlias = LabelSufficiency | Callable[[], LabelSufficiency | None] | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the decision looks at."""

    now: datetime
    live: Slot | None
    live_fingerprint: str
    """Of what the live day's window holds at present."""
    judged: Mapping[date, Judged]
    champion: str | None
    in_flight: bool
    """A retraining runs, or its candidate is on its way to production."""
    last_retrained: date | None
    """As-of day of the newest retraining."""
    labels: Labels
    """The counts, or how to get them: they are asked for last, only when everything else says retrain."""
