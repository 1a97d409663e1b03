"""Watches the loop from outside, through what it writes: the ledger, the route, the stored verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from ct_assets.drift.archive import read_verdicts
from ct_assets.drift.verdict import DriftVerdict, Outcome
from ct_assets.lake.store import Lake
from ct_assets.ledger import Entry, Ledger

__all__ = ["Watch"]


@dataclass
class Watch:
    """What one model's loop has said since `since`."""

    lake: Lake
    model: str
    since: datetime

    def entries(self) -> list[Entry]:
        return [entry for entry in Ledger(self.lake).read(self.model) if entry.at >= self.since]

    def verdicts(self, days: Iterable[date]) -> dict[date, DriftVerdict]:
        return read_verdicts(self.lake, self.model, days)

    def red_checks(self, day: date) -> list[str]:
        """Checks of `day` that said drift."""
        verdict = self.verdicts([day]).get(day)
        return [rule.check for rule in verdict.rules if rule.outcome is Outcome.DRIFT] if verdict else []

    def last(self, kind: str, *actions: str) -> Entry | None:
        """The newest row of a kind, of one of `actions` if any are given."""
        found = [e for e in self.entries() if e.kind == kind and (not actions or e.action in actions)]
        return found[-1] if found else None

    def news(self, tell: Callable[[Entry], None]) -> Callable[[], None]:
        """A function that tells every row that it has not told yet."""
        told: set[tuple[datetime, str, str, str | None]] = set()

        def look() -> None:
            for entry in self.entries():
                mark = (entry.at, entry.kind, entry.action, entry.day)  # one run judges many days at once
                if mark not in told:
                    told.add(mark)
                    tell(entry)

        return look
