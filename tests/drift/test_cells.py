from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ct_assets.drift.cells import cell_counts, merge_rare
from ct_assets.drift.columns import Column

counts = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=30).filter(
    lambda cells: sum(a for a, _ in cells) > 0 and sum(b for _, b in cells) > 0
)


@settings(max_examples=100, deadline=None)
@given(counts)
def test_merging_keeps_every_row_and_leaves_cells_that_a_chi_square_can_bear(
    cells: list[tuple[int, int]],
) -> None:
    reference, current = (np.array(side) for side in zip(*cells, strict=True))
    a, b = merge_rare(reference, current)
    assert (a.sum(), b.sum()) == (reference.sum(), current.sum())
    expected = (a + b) * min(a.sum(), b.sum()) / (a.sum() + b.sum())
    if len(a) > 1:
        assert (np.sort(expected)[1:] >= 5).all()
        assert expected.min() >= 1


def test_an_outlier_moves_no_bin() -> None:
    usual = Column.of(np.linspace(0, 1, 1000), "numerical")
    day = np.linspace(0, 1, 200)
    a, b = cell_counts(usual, Column.of(day, "numerical"))
    _, far = cell_counts(usual, Column.of([*day[:-1], 1e9], "numerical"))
    assert len(a) == 10
    assert b.tolist() == far.tolist()


def test_few_distinct_values_are_cells_of_their_own_and_so_is_a_new_one() -> None:
    a, b = cell_counts(
        Column.of([0.0, 1.0] * 500, "numerical"), Column.of([0.0] * 80 + [1.0] * 80 + [2.0] * 40, "numerical")
    )
    assert a.tolist() == [500, 500, 0]
    assert b.tolist() == [80, 80, 40]


def test_samples_too_small_to_fill_two_cells_give_one() -> None:
    a, _ = cell_counts(Column.of([1.0, 2.0], "numerical"), Column.of([3.0], "numerical"))
    assert len(a) == 1
