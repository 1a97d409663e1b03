"""Reads one column of a window or reference for comparison: coerced, cleaned and counted, or told to be unusable.

Nulls and NaN are missing values. Infinities are dropped and counted. A column is never repaired by guessing: strings
where numbers are expected are a fault of the data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ct_assets.spec import FeatureKind

__all__ = ["BINNED_ABOVE", "Column", "UnusableColumn", "read_column"]

BINNED_ABOVE = 20
"""Distinct values of a reference, above which its numbers are binned."""
# Beyond this the span of two values overflows: as good as infinite.
_LARGEST = float(np.finfo(np.float64).max) / 4


class UnusableColumn(ValueError):
    """The column is not there, or not of a type that its kind can be read from."""


@dataclass(frozen=True)
class Column:
    """The values of one column that can be compared."""

    name: str
    kind: FeatureKind
    values: pa.Array
    """float64 and finite, or string; without nulls."""
    rows: int
    """Of the table: values, nulls and infinities together."""
    infinities: int

    @classmethod
    def of(cls, values: Iterable[float | str | None], kind: FeatureKind, name: str = "value") -> Column:
        """A column of plain values.

        >>> column = Column.of([1.0, None, float("inf"), 3.0], "numerical")
        >>> len(column), column.missing_share, column.infinities
        (2, 0.5, 1)
        """
        return read_column(pa.table({name: list(values)}), name, kind)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def missing_share(self) -> float:
        """Share of the rows without a usable value, 0..1; 0 without rows."""
        return (self.rows - len(self)) / self.rows if self.rows else 0.0

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """The values of a numerical column, (values,)."""
        found: NDArray[np.float64] = self.values.to_numpy(zero_copy_only=False)
        return found

    @cached_property
    def distinct(self) -> int:
        """Number of distinct values."""
        return len(self.counts) if self.kind == "categorical" else len(self._unique[0])

    @property
    def is_binned(self) -> bool:
        """Whether comparisons cut it into bins; otherwise they go value by value. Evidently's own limit."""
        return self.kind == "numerical" and self.distinct > BINNED_ABOVE

    @cached_property
    def counts(self) -> dict[float | str, int]:
        """How often each distinct value occurs, in the order of the values."""
        if self.kind == "numerical":
            return dict(zip(*(a.tolist() for a in self._unique), strict=True))
        return {c["values"]: c["counts"] for c in self.values.value_counts().sort().to_pylist()}

    @cached_property
    def deciles(self) -> NDArray[np.float64]:
        """The distinct values among the nine deciles of a numerical column, rising; each is a value of the column."""
        values, times = self._unique
        places = np.searchsorted(np.cumsum(times), np.arange(1, 10) / 10 * len(self))
        return np.unique(values[places])

    @cached_property
    def _unique(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        return np.unique(self.numbers, return_counts=True)


def read_column(table: pa.Table, name: str, kind: FeatureKind) -> Column:
    """Column `name` of `table`; raises UnusableColumn where it is missing or of another type."""
    if name not in table.column_names:
        raise UnusableColumn(f"column '{name}' is missing")
    chunked = table[name]
    column = chunked.combine_chunks() if isinstance(chunked, pa.ChunkedArray) else chunked
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kind == "categorical":
        if not _reads_as_category(column.type):
            raise UnusableColumn(f"column '{name}' is {column.type}, and categories are expected")
        return Column(name, kind, column.cast(pa.string()).drop_null(), len(column), 0)
    if not _reads_as_number(column.type):
        raise UnusableColumn(f"column '{name}' is {column.type}, and numbers are expected")
    # integers beyond 2**53 lose their last digits, which no comparison of distributions can see
    numbers = column.cast(pa.float64(), safe=False)
    present = numbers.filter(pc.invert(pc.is_null(numbers, nan_is_null=True)))
    finite = present.filter(pc.less_equal(pc.abs(present), _LARGEST))
    return Column(name, kind, finite, len(numbers), len(present) - len(finite))


def _reads_as_number(kind: pa.DataType) -> bool:
    numeric = (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_boolean,
        pa.types.is_null,
    )
    return any(test(kind) for test in numeric)


def _reads_as_category(kind: pa.DataType) -> bool:
    words = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    codes = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_null)
    return any(test(kind) for test in (*words, *codes))
