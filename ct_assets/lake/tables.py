"""Reads several Parquet objects as one table of a given schema, and says which object does not fit."""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from ct_assets.lake.store import Lake

__all__ = ["RecordError", "read_objects"]

_READERS = 8  # hides an object store's latency; more gave nothing on two cores


class RecordError(ValueError):
    """An object of the lake is not what its place says: names the object, the column and the fix."""


def read_objects(lake: Lake, keys: Sequence[str], schema: pa.Schema) -> pa.Table:
    """All rows of `keys` as one table of `schema`.

    A column that an object lacks is read as null (the log of an older feature list); a column of another
    type, or an object that is no Parquet, raises RecordError. Columns beyond the schema are left out.
    """
    with ThreadPoolExecutor(_READERS) as pool:
        parts = list(pool.map(lambda key: _read(lake, key, schema), keys))
    return pa.concat_tables(parts) if parts else schema.empty_table()


def _read(lake: Lake, key: str, schema: pa.Schema) -> pa.Table:
    body = lake.get(key)
    if body is None:  # deleted between the listing and the read (retention)
        return schema.empty_table()
    try:
        table = pq.read_table(io.BytesIO(body))
    except pa.ArrowInvalid as error:
        raise RecordError(f"{key}: no readable Parquet ({error}); move it away and run the day again") from error
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        try:
            columns.append(table[field.name].cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise RecordError(
                f"{key}: column '{field.name}' is {table.schema.field(field.name).type}, expected {field.type}; "
                f"fix the writer or the kind in features, then run the day again ({error})"
            ) from error
    return pa.table(columns, schema=schema)
