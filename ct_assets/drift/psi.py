"""Population stability index of two samples, with the arithmetic of Evidently 0.7.23.

PSI = sum over cells of (current - reference) * ln(current / reference), in nats: the Jeffreys divergence of two
histograms. Kullback and Leibler, On Information and Sufficiency (1951); credit scoring calls 0.1 moderate and 0.2
large. What is particular to Evidently, and kept so that its numbers come out:

- a number with more than 20 distinct values in the reference is cut into equal-width bins over both samples together,
  as many as Sturges' rule gives; others, and categories, are compared value by value;
- an empty cell becomes 0.0001, or a millionth of the smallest share where that is 0.0001 or less.

One far outlier stretches the bins until they see nothing; the guard's quantile bins do not have that weakness.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ct_assets.drift.columns import Column

__all__ = ["psi", "psi_of_shares"]

_SMALL = 1e-4


def psi(reference: Column, current: Column) -> float:
    """PSI of two columns of one kind, neither empty.

    >>> usual = Column.of(["food"] * 70 + ["fuel"] * 30, "categorical")
    >>> print(f"{psi(usual, Column.of(['food'] * 68 + ['fuel'] * 32, 'categorical')):.4f}")   # a day like any other
    0.0019
    >>> print(f"{psi(usual, Column.of(['food'] * 40 + ['fuel'] * 60, 'categorical')):.4f}")   # another world
    0.3758
    """
    if reference.is_binned:
        edges = np.histogram_bin_edges(np.concatenate([reference.numbers, current.numbers]), bins="sturges")
        cells = [np.histogram(column.numbers, edges)[0] for column in (reference, current)]
    else:
        keys = list(dict.fromkeys([*reference.counts, *current.counts]))
        cells = [np.array([column.counts.get(key, 0) for key in keys]) for column in (reference, current)]
    return psi_of_shares(cells[0] / len(reference), cells[1] / len(current))


def psi_of_shares(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """PSI of two histograms over the same cells, (cells,), each a share 0..1 with one at least above 0."""
    a, b = _without_zeros(reference), _without_zeros(current)
    return float(np.sum((a - b) * np.log(a / b)))


def _without_zeros(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    least = shares[shares > 0].min()
    return np.where(shares == 0, least / 1e6 if least <= _SMALL else _SMALL, shares)
