"""Counts the labels that a training as of a day would find, and from which as-of day on there will be enough.

Only ids, times and labels are read, so that a sensor can afford to ask at every tick while labels are awaited.
"""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from ct_assets.drift.facts import LabelSufficiency
from ct_assets.lake.layout import production_key
from ct_assets.lake.record import feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.lake.tables import read_objects
from ct_assets.lake.window import days_between, read_labels
from ct_assets.spec import ModelSpec
from ct_assets.training.window import TrainingWindow

__all__ = ["label_sufficiency"]


def label_sufficiency(spec: ModelSpec, lake: Lake, as_of: date) -> LabelSufficiency:
    """Mature rows and positives of the training window as of `as_of`, and what else a training would lack.

    Where rows are short, `sufficient_from` is the first later as-of day whose window holds enough of the rows
    that were logged so far. How many of them turn out positive nobody knows, so a lack of positives has no date.
    """
    window = TrainingWindow.of(spec, as_of)
    logged = _days_of_rows(spec, lake, window.train_start, as_of)
    labels = read_labels(lake, spec.model, first=window.train_start, as_of=as_of).select(
        ["request_id", "label"]
    )
    known = logged.join(labels, keys="request_id", join_type="inner")
    train = _between(known, window.train_start, window.train_end)
    holdout = _between(known, window.holdout_start, window.holdout_end)
    positives = _positives(train)
    short = train.num_rows < spec.training.min_rows
    return LabelSufficiency(
        rows_mature=train.num_rows,
        positives=positives,
        needed_rows=spec.training.min_rows,
        needed_positives=spec.training.min_positives,
        sufficient_from=_enough_from(spec, logged, as_of)
        if short and positives >= spec.training.min_positives
        else None,
        lack=_lack(train, f"training window {window.train_start}..{window.train_end}", spec)
        or _lack(holdout, f"holdout {window.holdout_start}..{window.holdout_end}", spec),
    )


def _days_of_rows(spec: ModelSpec, lake: Lake, first: date, last: date) -> pa.Table:
    """`request_id` and `day` of every production row."""
    full = feature_log_schema(spec)
    schema = pa.schema([full.field("request_id"), full.field("event_time")])
    rows = read_objects(lake, [production_key(spec.model, day) for day in days_between(first, last)], schema)
    return pa.table({"request_id": rows["request_id"], "day": pc.cast(rows["event_time"], pa.date32())})


def _between(rows: pa.Table, first: date, last: date) -> pa.Table:
    return rows.filter(pc.and_(pc.greater_equal(rows["day"], first), pc.less_equal(rows["day"], last)))


def _positives(rows: pa.Table) -> int:
    return int(pc.sum(pc.greater(rows["label"], 0.5)).as_py() or 0)


def _lack(rows: pa.Table, where: str, spec: ModelSpec) -> str:
    """The class that `rows` are short of, as a training would refuse them; empty: none."""
    needed, positives = spec.training.min_positives, _positives(rows)
    for name, count in (("positive", positives), ("negative", rows.num_rows - positives)):
        if count < needed:
            return f"the {where} holds {count:,} {name} labels, and {needed:,} are needed"
    return ""


def _enough_from(spec: ModelSpec, logged: pa.Table, as_of: date) -> date | None:
    for ahead in range(1, spec.label_delay_days + spec.training.holdout_days + 1):
        window = TrainingWindow.of(spec, as_of + timedelta(days=ahead))
        if _between(logged, window.train_start, window.train_end).num_rows >= spec.training.min_rows:
            return window.as_of
    return None
