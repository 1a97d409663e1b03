"""Judges a day: gathers its window and the right reference from the lake, and hands both to the pure judge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pyarrow as pa

from ct_assets.calendar import Slot, window_fingerprint
from ct_assets.drift.judge import judge
from ct_assets.drift.reference import Reference
from ct_assets.drift.verdict import DriftVerdict
from ct_assets.lake.days import day_slot
from ct_assets.lake.layout import reference_key
from ct_assets.lake.production import compact_day, compacted_fingerprint
from ct_assets.lake.store import Lake
from ct_assets.lake.window import days_between, read_days
from ct_assets.registry import Version
from ct_assets.spec import ModelSpec
from ct_assets.training.reference import sample_rows
from ct_assets.training.window import TrainingWindow

__all__ = ["JudgedDay", "Monitor"]


@dataclass(frozen=True, slots=True)
class JudgedDay:
    """A verdict with the rows that it was made of."""

    verdict: DriftVerdict
    current: pa.Table
    reference: Reference


class Monitor:
    """Drift of one model, day by day, with the version that is champion now (None before the first)."""

    def __init__(self, lake: Lake, spec: ModelSpec, champion: Version | None) -> None:
        self._lake = lake
        self._spec = spec
        self._champion = champion
        self._kept: Reference | None = None
        self._days: dict[date, Slot] = {}

    def judge_day(self, day: date, *, evaluated_at: datetime) -> JudgedDay:
        """The verdict over the trailing window that ends with `day`; `evaluated_at` is aware."""
        days = days_between(day - timedelta(days=self._spec.drift.window_days - 1), day)
        held = window_fingerprint([self._compacted(d) for d in days])
        current = read_days(self._lake, self._spec, days)
        reference = self.reference(day)
        verdict = judge(
            self._spec,
            day=day,
            current=current,
            reference=reference,
            fingerprint=held,
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
        features = self._lake.read_table(
            reference_key(self._spec.model, champion.run_id, "reference.parquet")
        )
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
        said = (
            f"hypothetical: training window {window.train_start}..{window.train_end} of a model as of {day}"
        )
        return Reference(
            sample_rows(
                rows.select(list(self._spec.features)),
                self._spec.drift.reference_rows,
                seed=self._spec.training.seed,
            ),
            scores=None,
            champion=None,
            hypothetical=True,
            description=said,
        )

    def _compacted(self, day: date) -> Slot:
        """What the log holds of a day, after seeing to it that just this is compacted.

        The first days of a window may lie before the closer's look-back: nobody compacted them, or not since
        rows came late, and the window would silently be short of them.
        """
        if day not in self._days:
            slot = day_slot(self._lake, self._spec.model, day)
            if slot.objects and compacted_fingerprint(self._lake, self._spec.model, day) != slot.fingerprint:
                slot = replace(slot, fingerprint=compact_day(self._lake, self._spec, day).fingerprint)
            self._days[day] = slot
        return self._days[day]

    def _empty(self) -> pa.Table:
        return pa.table({name: pa.array([], pa.null()) for name in self._spec.features})
