"""One day of production features: the day's log objects, live answers only, one row a request."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ct_assets.lake.layout import day_prefix, production_key
from ct_assets.lake.record import Variant, feature_log_schema
from ct_assets.lake.store import Lake, fingerprint
from ct_assets.lake.tables import read_objects
from ct_assets.spec import ModelSpec

__all__ = ["FINGERPRINT", "DaySummary", "compact_day", "compacted_fingerprint"]

FINGERPRINT = b"ct.fingerprint"  # Parquet key-value metadata: which log objects the day was made of


@dataclass(frozen=True, slots=True)
class DaySummary:
    """What a day held."""

    day: date
    rows: int
    """Live requests, one each."""
    duplicates: int
    """Rows dropped because their request id stood already (a retried request or flush)."""
    shadow_rows: int
    """Answers that reached no user; left out."""
    objects: int
    fingerprint: str
    nulls: dict[str, int]
    """Missing values by feature; only features that miss some."""
    versions: dict[str, int]
    """Rows by the model version that answered."""


def compact_day(lake: Lake, spec: ModelSpec, day: date) -> DaySummary:
    """Writes `production/<model>/<day>.parquet`, sorted by event time, and says what was in it.

    Idempotent; a day without objects gives an empty table, so that readers can tell "no rows" from "not yet read".
    """
    objects = sorted(lake.list(day_prefix("features", spec.model, day)), key=lambda o: o.key)
    logged = read_objects(lake, [o.key for o in objects], feature_log_schema(spec))
    live = logged.filter(pc.not_equal(logged["variant"], Variant.SHADOW.value))
    # A request sent again was not answered in the sender's eyes: the newest answer is the one that was used.
    rows = first_by(live.sort_by([("received_at", "descending")]), "request_id").sort_by(
        [("event_time", "ascending"), ("request_id", "ascending")]
    )
    seen = fingerprint(objects)
    lake.put_table(production_key(spec.model, day), rows.replace_schema_metadata({FINGERPRINT: seen}))
    counts = pc.value_counts(rows["model_version"]).to_pylist()
    return DaySummary(
        day=day,
        rows=rows.num_rows,
        duplicates=live.num_rows - rows.num_rows,
        shadow_rows=logged.num_rows - live.num_rows,
        objects=len(objects),
        fingerprint=seen,
        nulls={name: rows[name].null_count for name in spec.features if rows[name].null_count},
        versions={item["values"]: item["counts"] for item in counts},
    )


def compacted_fingerprint(lake: Lake, model: str, day: date) -> str | None:
    """Fingerprint of the log objects that a compacted day was made of; None where the day was never compacted."""
    body = lake.get(production_key(model, day))
    if body is None:
        return None
    metadata = pq.read_schema(io.BytesIO(body)).metadata or {}
    return bytes(metadata.get(FINGERPRINT, b"")).decode()


def first_by(table: pa.Table, column: str) -> pa.Table:
    """The first row of each value of `column`, in the table's order."""
    position = pa.array(range(table.num_rows), pa.int64())
    first = table.select([column]).append_column("_at", position).group_by(column).aggregate([("_at", "min")])
    return table.take(first["_at_min"].combine_chunks().sort())
