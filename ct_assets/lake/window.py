"""Reads windows of days: production rows, and rows joined with the labels visible at an as-of date."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from ct_assets.lake.layout import day_prefix, production_key
from ct_assets.lake.production import first_by
from ct_assets.lake.record import LABEL_LOG, feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.lake.tables import read_objects
from ct_assets.spec import ModelSpec

__all__ = ["day_end", "days_between", "labelled", "read_days", "read_labels"]


def days_between(first: date, last: date) -> list[date]:
    """Both ends included; empty where `last` is before `first`."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def day_end(day: date) -> datetime:
    """The instant at which a day is over (UTC)."""
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)


def read_days(lake: Lake, spec: ModelSpec, days: Iterable[date]) -> pa.Table:
    """Production rows of `days` (feature-log columns) in order; a day that was never compacted gives none."""
    return read_objects(lake, [production_key(spec.model, day) for day in days], feature_log_schema(spec))


def read_labels(lake: Lake, model: str, *, first: date, as_of: date) -> pa.Table:
    """The newest label of each request, of those with a label time from `first` to the end of `as_of`."""
    keys = [
        item.key for day in days_between(first, as_of) for item in lake.list(day_prefix("labels", model, day))
    ]
    labels = read_objects(lake, sorted(keys), LABEL_LOG)
    visible = labels.filter(
        pc.less(labels["label_time"], pa.scalar(day_end(as_of), LABEL_LOG.field("label_time").type))
    )
    newest = visible.sort_by([("label_time", "descending"), ("received_at", "descending")])
    return first_by(newest, "request_id")


def labelled(lake: Lake, spec: ModelSpec, *, first: date, last: date, as_of: date) -> pa.Table:
    """Rows of the days `first`..`last` with columns `label` and `label_time`, as known at the end of `as_of`.

    Rows whose label is not known by then are left out. Sorted by event time, then request id.
    """
    rows = read_days(lake, spec, days_between(first, last))
    labels = read_labels(lake, spec.model, first=first, as_of=as_of).drop_columns(["received_at"])
    joined = rows.join(labels, keys="request_id", join_type="inner")
    order = [*feature_log_schema(spec).names, "label", "label_time"]
    return joined.select(order).sort_by([("event_time", "ascending"), ("request_id", "ascending")])
