"""Counts the labels that a training window would find, and from which as-of day on there will be enough."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from ct_assets.drift.trigger import LabelSufficiency
from ct_assets.lake.store import Lake
from ct_assets.lake.window import days_between, labelled, read_days
from ct_assets.spec import ModelSpec
from ct_assets.training.window import TrainingWindow

__all__ = ["label_sufficiency"]


def label_sufficiency(spec: ModelSpec, lake: Lake, as_of: date) -> LabelSufficiency:
    """Mature rows and positives of the training window as of `as_of`.

    Where rows are short, `sufficient_from` is the first later as-of day whose window holds enough of the rows
    that were logged so far. How many of them turn out positive nobody knows, so a lack of positives has no date.
    """
    window = TrainingWindow.of(spec, as_of)
    rows = labelled(lake, spec, first=window.train_start, last=window.train_end, as_of=as_of)
    positives = int(pc.sum(pc.greater(rows["label"], 0.5)).as_py() or 0)
    short = rows.num_rows < spec.training.min_rows and positives >= spec.training.min_positives
    return LabelSufficiency(
        rows_mature=rows.num_rows,
        positives=positives,
        needed_rows=spec.training.min_rows,
        needed_positives=spec.training.min_positives,
        sufficient_from=_enough_from(spec, lake, as_of) if short else None,
    )


def _enough_from(spec: ModelSpec, lake: Lake, as_of: date) -> date | None:
    horizon = spec.label_delay_days + spec.training.holdout_days
    first = TrainingWindow.of(spec, as_of).train_start
    logged = read_days(lake, spec, days_between(first, as_of))
    days = pc.cast(pc.floor_temporal(logged["event_time"], unit="day"), pa.date32())
    for ahead in range(1, horizon + 1):
        window = TrainingWindow.of(spec, as_of + timedelta(days=ahead))
        inside = pc.and_(pc.greater_equal(days, window.train_start), pc.less_equal(days, window.train_end))
        if (pc.sum(inside).as_py() or 0) >= spec.training.min_rows:
            return as_of + timedelta(days=ahead)
    return None
