"""Medians and ratios: what they say, and what they refuse to say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.spread import Spread, ratio, spread

VALUES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=9)


@given(VALUES)
def test_a_median_lies_within_its_range(values: list[float]) -> None:
    found = spread(values)
    assert min(values) == found.low <= found.median <= found.high == max(values)
    assert found.n == len(values)


def test_one_run_is_told_without_a_range() -> None:
    assert str(spread([1.23456])) == "1.23"


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_no_median_is_told_of_what_was_not_measured(values: list[float]) -> None:
    with pytest.raises(ValueError, match="every run must give a finite number"):
        spread(values)


def test_a_ratio_is_of_pairs_so_that_a_slow_minute_falls_out() -> None:
    quiet, loaded = 1.0, 7.0
    assert ratio([2.0 * quiet, 2.0 * loaded], [quiet, loaded]) == Spread(2.0, 2.0, 2.0, 2)


def test_runs_that_are_no_pairs_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="2 runs against 1"):
        ratio([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="more than nothing"):
        ratio([1.0], [0.0])
