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

    A nullable column that an object lacks is read as null (the log of an older feature list). Raises
    RecordError for an object that is no Parquet, a column of another kind, and a row without a value that
    every record has. Columns beyond the schema are left out.
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
    except (pa.ArrowException, OSError) as error:  # what it raises depends on where the bytes are damaged
        raise RecordError(
            f"{key}: no readable Parquet ({error}); move it away and run the day again"
        ) from error
    return pa.table([_column(table, field, key) for field in schema], schema=schema)


def _column(table: pa.Table, field: pa.Field, key: str) -> pa.ChunkedArray | pa.Array:
    known = field.name in table.column_names
    column = table[field.name] if known else pa.nulls(table.num_rows, field.type)
    if column.null_count and not field.nullable:
        raise RecordError(
            f"{key}: {column.null_count} of {table.num_rows} rows have no '{field.name}', which every record has; "
            "fix the writer, move the object away and run the day again"
        )
    try:
        if _same_kind(column.type, field.type):
            return column.cast(field.type)
        reason = "another kind"
    except pa.ArrowException as error:
        reason = str(error)
    raise RecordError(
        f"{key}: column '{field.name}' is {column.type}, expected {field.type} ({reason}); "
        "fix the writer or the kind in features, then run the day again"
    )


def _same_kind(found: pa.DataType, expected: pa.DataType) -> bool:
    """Whether a cast only changes the width: a number written as text, or a time without zone, is another kind."""
    kinds = pa.types
    if kinds.is_dictionary(found):
        found = found.value_type
    if kinds.is_timestamp(expected):
        same = kinds.is_timestamp(found) and found.tz is not None
    elif kinds.is_floating(expected):
        same = kinds.is_floating(found) or kinds.is_integer(found)
    else:
        same = found == expected or kinds.is_large_string(found) or kinds.is_string_view(found)
    return bool(same or kinds.is_null(found))
