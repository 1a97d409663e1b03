"""Writes records to a log of the lake: one Parquet object an hour of event time, under a name its content gives."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from ct_assets.lake.layout import hour_prefix
from ct_assets.lake.store import Lake, to_parquet
from ct_assets.lake.tables import RecordError

__all__ = ["write_records"]


def write_records(lake: Lake, log: str, model: str, table: pa.Table, time_column: str) -> list[str]:
    """Splits `table` by the UTC hour of `time_column` and writes each part once; returns the keys.

    The name is a digest of the bytes, so the same rows sent again are the same object: a retry after a
    timeout cannot duplicate, and a listing alone identifies what a day held. Raises RecordError, before
    anything is written, where a row has no time or the times have no zone.
    """
    if table.num_rows == 0:
        return []
    hours = _utc_hours(table, log, time_column)
    keys = []
    for hour in pc.unique(hours).sort():
        body = to_parquet(table.filter(pc.equal(hours, hour)))
        key = f"{hour_prefix(log, model, hour.as_py())}{hashlib.sha256(body).hexdigest()[:16]}.parquet"
        lake.create(key, body)
        keys.append(key)
    return keys


def _utc_hours(table: pa.Table, log: str, column: str) -> pa.ChunkedArray:
    times = table[column]
    if not (pa.types.is_timestamp(times.type) and times.type.tz):
        raise RecordError(
            f"{log}: column '{column}' is {times.type}, expected times with a zone; make them aware, in UTC"
        )
    if times.null_count:
        raise RecordError(
            f"{log}: {times.null_count} of {len(times)} rows have no {column}, so no day; set it or drop them"
        )
    # In UTC first: an hour of a zone that is 30 minutes off straddles two of ours.
    return pc.floor_temporal(times.cast(pa.timestamp(times.type.unit, "UTC")), unit="hour")
