from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from ct_assets.drift.columns import Column, UnusableColumn, read_column


def test_nulls_and_nan_are_missing_and_infinities_are_dropped_and_counted() -> None:
    values = pa.array([1.0, None, float("nan"), float("inf"), float("-inf"), 4.0])
    column = read_column(pa.table({"x": values}), "x", "numerical")
    assert column.numbers.tolist() == [1.0, 4.0]
    assert (column.rows, column.infinities) == (6, 2)
    assert column.missing_share == pytest.approx(4 / 6)


def test_a_number_whose_span_would_overflow_counts_as_infinite() -> None:
    assert Column.of([1.0, 1e308], "numerical").infinities == 1


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2, 1], pa.int16()),
        pa.array([1, 2, 1], pa.float32()),
        pa.array([Decimal("1.0"), Decimal("2.0"), Decimal("1.0")]),
        pa.chunked_array([pa.array([1.0]), pa.array([2.0, 1.0])]),
        pa.array([1.0, 2.0, 1.0]).dictionary_encode(),
    ],
    ids=["int16", "float32", "decimal", "chunks", "dictionary"],
)
def test_numbers_of_any_arrow_type_read_as_float64(values: pa.Array) -> None:
    column = read_column(pa.table({"x": values}), "x", "numerical")
    assert column.numbers.dtype == np.float64
    assert column.counts == {1.0: 2, 2.0: 1}


def test_a_boolean_reads_as_zero_and_one() -> None:
    assert read_column(pa.table({"x": [True, False, True]}), "x", "numerical").counts == {0.0: 1, 1.0: 2}


def test_categories_read_from_strings_dictionaries_and_codes() -> None:
    assert Column.of(["b", "a", "b", None], "categorical").counts == {"a": 1, "b": 2}
    coded = pa.table({"x": pa.array(["b", "a", "b"]).dictionary_encode()})
    assert read_column(coded, "x", "categorical").counts == {"a": 1, "b": 2}
    assert read_column(pa.table({"x": [7, 7, 8]}), "x", "categorical").counts == {"7": 2, "8": 1}


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        (pa.array(["1", "2"]), "numerical", "column 'x' is string, and numbers are expected"),
        (pa.array([[1], [2]]), "categorical", "categories are expected"),
        (pa.array([1.5, 2.5]), "categorical", "column 'x' is double, and categories are expected"),
    ],
)
def test_a_column_of_another_type_is_never_repaired_by_guessing(
    values: pa.Array, kind: str, said: str
) -> None:
    with pytest.raises(UnusableColumn, match=said):
        read_column(pa.table({"x": values}), "x", kind)  # type: ignore[arg-type]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(UnusableColumn, match="column 'x' is missing"):
        read_column(pa.table({"y": [1]}), "x", "numerical")


def test_a_column_of_nulls_only_reads_as_empty() -> None:
    column = read_column(pa.table({"x": pa.array([None, None], pa.null())}), "x", "numerical")
    assert (len(column), column.rows, column.missing_share) == (0, 2, 1.0)


def test_deciles_are_values_of_the_column_and_ties_collapse() -> None:
    assert Column.of([float(n) for n in range(1, 101)], "numerical").deciles.tolist() == [
        10.0 * n for n in range(1, 10)
    ]
    assert Column.of([0.0] * 95 + [1.0, 2.0, 3.0, 4.0, 5.0], "numerical").deciles.tolist() == [0.0]
