"""Cuts two columns into the cells that the guard compares: every cell big enough for a chi-square to mean something.

Numbers with more than 20 distinct values in the reference are cut at the reference's deciles, which no outlier can
stretch; others, and categories, are taken value by value. Rare cells are then merged after Cochran (Some Methods for
Strengthening the Common Chi-Square Tests, 1954): what is left over may stay a cell of its own down to an expected
count of 1, every other cell expects 5 at least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ct_assets.drift.columns import Column

__all__ = ["cell_counts", "merge_rare"]

Counts = NDArray[np.int64]

_LEAST_EXPECTED = 5.0
_LEAST_EXPECTED_OF_THE_REST = 1.0


def cell_counts(reference: Column, current: Column) -> tuple[Counts, Counts]:
    """Counts of the reference and of the current window over the same cells, (cells,) each, rare ones merged.

    Both columns hold at least one value. A single cell means that the two cannot be told apart at these sizes.
    """
    if reference.is_binned:
        cuts = reference.deciles
        both = [
            np.bincount(np.searchsorted(cuts, c.numbers), minlength=len(cuts) + 1)
            for c in (reference, current)
        ]
    else:
        keys = list(dict.fromkeys([*reference.counts, *current.counts]))
        both = [np.array([c.counts.get(key, 0) for key in keys]) for c in (reference, current)]
    return merge_rare(both[0].astype(np.int64), both[1].astype(np.int64))


def merge_rare(reference: Counts, current: Counts) -> tuple[Counts, Counts]:
    """The same counts with rare cells merged; totals stay. Cells come out most frequent first.

    >>> merge_rare(np.array([500, 490, 6, 4]), np.array([52, 45, 2, 1]))   # 0.7 + 0.5 expected: one cell of the rest
    (array([500, 490,  10]), array([52, 45,  3]))
    >>> merge_rare(np.array([500, 490, 3]), np.array([52, 45, 0]))   # 0.3 expected: too little to stand alone
    (array([500, 493]), array([52, 45]))
    """
    order = np.argsort(-(reference + current), kind="stable")
    reference, current = reference[order], current[order]
    pooled = reference + current
    expected = pooled * (min(reference.sum(), current.sum()) / pooled.sum())
    kept = max(1, int(np.count_nonzero(expected >= _LEAST_EXPECTED)))
    if expected[kept:].sum() >= _LEAST_EXPECTED_OF_THE_REST:
        return _fold(reference, kept), _fold(current, kept)
    return _fold(reference, kept - 1), _fold(current, kept - 1)


def _fold(counts: Counts, kept: int) -> Counts:
    """The first `kept` cells, and all that follow as one."""
    return np.append(counts[:kept], counts[kept:].sum())
