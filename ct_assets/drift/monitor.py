"""Judges a day: gathers its window and the right reference from the lake, and hands both to the pure judge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from ct_assets.calendar import Slot, window_fingerprint
from ct_assets.drift.judge import judge
from ct_assets.drift.reference import Reference
from ct_assets.lake.layout import reference_key
from ct_assets.lake.production import compacted_fingerprint
from ct_assets.lake.store import Lake, fingerprint
from ct_assets.lake.window import days_between, read_days
from ct_assets.spec import ModelSpec
from ct_assets.training.window import TrainingWindow

if TYPE_CHECKING:
    from ct_assets.drift.verdict import DriftVerdict
    from ct_assets.registry import Version

__all__ = ["JudgedDay", "Monitor"]


@dataclass(frozen=True, slots=True)
class JudgedDay:
    """A verdict with the rows that it was made of."""

    verdict: DriftVerdict
    current: pa.Table
    reference: Reference


class Monitor:
    """Drift of one model, day by day."""

    def __init__(self, lake: Lake, spec: ModelSpec, champion: Version | None) -> None:
        self._lake = lake
        self._spec = spec
        self._champion = champion
        self._kept: Reference | None = None

    def judge_day(self, day: date, *, evaluated_at: datetime) -> JudgedDay:
        """The verdict over the trailing window that ends with `day`."""
        days = days_between(day - timedelta(days=self._spec.drift.window_days - 1), day)
        current = read_days(self._lake, self._spec, days)
        reference = self.reference(day)
        verdict = judge(
            self._spec,
            day=day,
            current=current,
            reference=reference,
            fingerprint=window_fingerprint([slot for d in days if (slot := self._compacted(d))]),
            evaluated_at=evaluated_at,
        )
        return JudgedDay(verdict, current, reference)

    def reference(self, day: date) -> Reference:
        """What `day` is compared with.

        The champion's own, unless `day` lies before the champion's as-of date: that model could not have
        served it, so the reference is the one that a model of that day would have had, marked hypothetical.
        """
        champion = self._champion
        if champion is None or (champion.as_of is not None and champion.as_of > day):
            return self._hypothetical(day)
        if self._kept is None:
            self._kept = self._of_champion(champion)
        if self._spec.drift.reference == "recent":
            return self._recent(day, self._kept)
        return self._kept

    def _of_champion(self, champion: Version) -> Reference:
        features = self._lake.read_table(reference_key(self._spec.model, champion.run_id, "reference.parquet"))
        scores = self._lake.read_table(reference_key(self._spec.model, champion.run_id, "scores.parquet"))
        return Reference(
            features=self._empty() if features is None else features,
            scores=None if scores is None else scores["prediction"].to_numpy(),
            champion=champion.version,
            hypothetical=False,
            description=f"sample of the training window of version {champion.version}",
        )

    def _recent(self, day: date, kept: Reference) -> Reference:
        window = TrainingWindow.of(self._spec, day)
        rows = read_days(self._lake, self._spec, days_between(window.holdout_start, window.holdout_end))
        said = f"newest mature days {window.holdout_start}..{window.holdout_end}"
        return Reference(rows.select(list(self._spec.features)), kept.scores, kept.champion, False, said)

    def _hypothetical(self, day: date) -> Reference:
        window = TrainingWindow.of(self._spec, day)
        rows = read_days(self._lake, self._spec, days_between(window.train_start, window.train_end))
        said = f"hypothetical: training window {window.train_start}..{window.train_end} of a model as of {day}"
        return Reference(
            _sample(rows.select(list(self._spec.features)), self._spec.drift.reference_rows, self._spec.training.seed),
            scores=None,
            champion=None,
            hypothetical=True,
            description=said,
        )

    def _compacted(self, day: date) -> Slot | None:
        seen = compacted_fingerprint(self._lake, self._spec.model, day)
        if seen is None or seen == fingerprint([]):
            return None
        return Slot(day=day, objects=1, last_write=None, fingerprint=seen)

    def _empty(self) -> pa.Table:
        return pa.table({name: pa.array([], pa.null()) for name in self._spec.features})


def _sample(table: pa.Table, rows: int, seed: int) -> pa.Table:
    """At most `rows` rows, drawn without replacement with `seed`, in the table's order."""
    import numpy as np

    if table.num_rows <= rows:
        return table
    drawn = np.random.default_rng(seed).choice(table.num_rows, rows, replace=False)
    return table.take(np.sort(drawn))
