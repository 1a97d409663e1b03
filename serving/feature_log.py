"""The two logs that serving writes: answered requests, and labels. Rows become tables of the lake's own schemas.

`append` returns before the row is in the lake; `close` writes the rest. Rows held in memory are lost with
kill -9 of the process, by at most `flush_s` seconds of traffic while the lake answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from ct_assets.lake.log import write_records
from ct_assets.lake.record import LABEL_LOG, feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.spec import ModelSpec
from serving.metrics import LogMetrics, Metrics
from serving.settings import ServingSettings
from serving.shipper import Row, Shipper

__all__ = ["FeatureLog", "FeatureRecord", "LabelLog", "LabelRecord"]


class FeatureRecord(NamedTuple):
    """One answered request. Times are aware; `features` are the values in the spec's order."""

    request_id: str
    event_time: datetime
    received_at: datetime
    model_version: str
    variant: str
    prediction: float
    entity: str | None
    features: tuple[float | str | None, ...]


class LabelRecord(NamedTuple):
    """One label that was sent."""

    request_id: str
    label: float
    label_time: datetime
    received_at: datetime


class FeatureLog:
    """Answered requests on their way to `features/<model>/`."""

    def __init__(self, spec: ModelSpec, lake: Lake, metrics: Metrics, settings: ServingSettings) -> None:
        self._rows = metrics.log("features")
        schema = feature_log_schema(spec)
        self._shipper = _shipper(self._rows, schema, "event_time", spec, lake, settings)

    @property
    def full(self) -> bool:
        return self._shipper.full

    def start(self) -> None:
        self._shipper.start()

    def append(self, record: FeatureRecord) -> bool:
        """Takes the record; False, and counted as dropped, where the buffer is full."""
        if self._shipper.offer((record[:-1] + record.features,)):
            return True
        self._rows.accepted.inc()
        self._rows.dropped.inc()
        return False

    def close(self, timeout_s: float) -> int:
        """Writes what is held, within `timeout_s`; returns the rows that were lost."""
        return self._shipper.close(timeout_s)


class LabelLog:
    """Labels on their way to `labels/<model>/`."""

    def __init__(self, spec: ModelSpec, lake: Lake, metrics: Metrics, settings: ServingSettings) -> None:
        self._shipper = _shipper(metrics.log("labels"), LABEL_LOG, "label_time", spec, lake, settings)

    def start(self) -> None:
        self._shipper.start()

    def append(self, records: Sequence[LabelRecord]) -> bool:
        """Takes all records, or none and False where they do not fit: the sender is to try again."""
        return self._shipper.offer(records)

    def close(self, timeout_s: float) -> int:
        """Writes what is held, within `timeout_s`; returns the rows that were lost."""
        return self._shipper.close(timeout_s)


def _shipper(
    rows: LogMetrics,
    schema: pa.Schema,
    time_column: str,
    spec: ModelSpec,
    lake: Lake,
    settings: ServingSettings,
) -> Shipper:
    def write(batch: Sequence[Row]) -> None:
        write_records(lake, rows.log, spec.model, _table(batch, schema), time_column)

    return Shipper(
        write,
        rows,
        flush_rows=spec.serving.flush_rows,
        flush_s=spec.serving.flush_s,
        capacity=settings.buffer_rows,
        retry_first_s=settings.retry_first_s,
        retry_cap_s=settings.retry_cap_s,
    )


def _table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )
