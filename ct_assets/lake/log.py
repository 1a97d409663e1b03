"""Writes records to a log of the lake: one Parquet object an hour of event time, under a name its content gives."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from ct_assets.lake.layout import hour_prefix
from ct_assets.lake.store import Lake, to_parquet

__all__ = ["write_records"]


def write_records(lake: Lake, log: str, model: str, table: pa.Table, time_column: str) -> list[str]:
    """Splits `table` by the UTC hour of `time_column` and writes each part once; returns the keys.

    The name is a digest of the bytes, so the same rows sent again are the same object: a retry after a
    timeout cannot duplicate, and a listing alone identifies what a day held.
    """
    if table.num_rows == 0:
        return []
    hours = pc.floor_temporal(table[time_column], unit="hour")
    keys = []
    for hour in pc.unique(hours).sort():
        body = to_parquet(table.filter(pc.equal(hours, hour)))
        key = f"{hour_prefix(log, model, hour.as_py())}{hashlib.sha256(body).hexdigest()[:16]}.parquet"
        lake.create(key, body)
        keys.append(key)
    return keys
