"""Reading objects as one table: what does not fit is named, with its object, its column and the fix."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ct_assets.lake.store import Lake, to_parquet
from ct_assets.lake.tables import RecordError, read_objects

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("x", pa.float64()),
        pa.field("plan", pa.string()),
    ]
)
ROW: dict[str, Any] = {"id": "a", "at": 1, "x": 1.5, "plan": "basic"}


def stored(lake: Lake, key: str = "k", **columns: pa.Array) -> None:
    """One row, with columns replaced (or left out, by None)."""
    table = {name: pa.array([ROW[name]], SCHEMA.field(name).type) for name in ROW} | columns
    lake.put_table(key, pa.table({name: column for name, column in table.items() if column is not None}))


def refusal(lake: Lake) -> str:
    with pytest.raises(RecordError) as caught:
        read_objects(lake, ["k"], SCHEMA)
    return str(caught.value)


def test_objects_come_together_in_the_order_of_their_keys(lake: Lake) -> None:
    for key in "cab":
        stored(lake, key, id=pa.array([key]))
    assert read_objects(lake, ["b", "c", "a"], SCHEMA)["id"].to_pylist() == ["b", "c", "a"]


def test_no_objects_are_an_empty_table_of_the_schema(lake: Lake) -> None:
    assert read_objects(lake, [], SCHEMA).schema == SCHEMA


def test_an_object_deleted_since_the_listing_holds_no_rows(lake: Lake) -> None:
    stored(lake)
    assert read_objects(lake, ["k", "gone"], SCHEMA).num_rows == 1


def test_the_log_of_an_older_feature_list_reads_as_null(lake: Lake) -> None:
    stored(lake, plan=None)
    assert read_objects(lake, ["k"], SCHEMA)["plan"].to_pylist() == [None]


def test_a_column_that_is_no_longer_known_is_left_out(lake: Lake) -> None:
    stored(lake, retired=pa.array([1]))
    assert read_objects(lake, ["k"], SCHEMA).schema == SCHEMA


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("x", pa.array([2], pa.int32()), 2.0),
        ("x", pa.array([1.5], pa.float32()), 1.5),
        ("x", pa.nulls(1), None),
        ("plan", pa.array(["b"], pa.large_string()), "b"),
        ("plan", pa.array(["b"]).dictionary_encode(), "b"),
    ],
)
def test_another_width_of_the_same_kind_is_read(lake: Lake, name: str, column: pa.Array, value: Any) -> None:
    stored(lake, **{name: column})
    assert read_objects(lake, ["k"], SCHEMA)[name].to_pylist() == [value]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("x", pa.array(["1.5"])),  # it would parse, and hide that the feature changed its kind
        ("x", pa.array([True])),
        ("x", pa.array([2**53 + 1])),  # no double holds it
        ("plan", pa.array([1.0])),
        ("plan", pa.array([b"basic"])),
        ("at", pa.array([1], pa.timestamp("us"))),
        ("at", pa.array([1])),
        ("id", pa.array([7])),
    ],
)
def test_a_column_of_another_kind_is_named_with_both_kinds(lake: Lake, name: str, column: pa.Array) -> None:
    stored(lake, **{name: column})
    message = refusal(lake)
    assert message.startswith(f"k: column '{name}' is {column.type}, expected {SCHEMA.field(name).type}")
    assert message.endswith("fix the writer or the kind in features, then run the day again")


@pytest.mark.parametrize("column", [None, pa.nulls(1, pa.string())])
def test_a_row_without_what_every_record_has_is_named_and_not_lost(
    lake: Lake, column: pa.Array | None
) -> None:
    stored(lake, id=column)
    assert refusal(lake).startswith("k: 1 of 1 rows have no 'id', which every record has")


@pytest.mark.parametrize("body", [b"", b"no parquet", b"PAR1" * 3])
def test_bytes_that_are_no_parquet_are_named(lake: Lake, body: bytes) -> None:
    lake.put("k", body)
    assert refusal(lake).startswith("k: no readable Parquet (")
    assert refusal(lake).endswith("move it away and run the day again")


WHOLE = to_parquet(
    pa.table({"id": [f"r{n}" for n in range(50)], "at": pa.array(range(50), SCHEMA.field("at").type)})
)


@given(at=st.integers(0, len(WHOLE) - 1), value=st.integers(0, 255), cut=st.booleans())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_object_is_read_or_named_and_never_a_librarys_error(
    lake: Lake, at: int, value: int, cut: bool
) -> None:
    body = WHOLE[:at] if cut else WHOLE[:at] + bytes([value]) + WHOLE[at + 1 :]
    lake.put("k", body)
    with suppress(RecordError):
        read_objects(lake, ["k"], SCHEMA)
