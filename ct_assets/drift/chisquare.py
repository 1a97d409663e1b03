"""Pearson's chi-square test of a window against a reference that is taken for the truth, as Evidently 0.7.23 does it.

Pearson, On the criterion ... (1900), one-sample: the reference's counts, scaled to the window, are the expected ones.
As the reference is a sample too, the test alarms more often than its level says, and a category that the reference
has never seen gives p = 0 however rare it is: which is why a guard stands beside it.
"""

from __future__ import annotations

import numpy as np

from ct_assets.drift.columns import Column

__all__ = ["chisquare_p"]


def chisquare_p(reference: Column, current: Column) -> float:
    """p-value, 0..1, of two categorical columns, neither empty; 1 where both know a single, common category.

    >>> usual = Column.of(["food"] * 700 + ["fuel"] * 300, "categorical")
    >>> print(f"{chisquare_p(usual, Column.of(['food'] * 68 + ['fuel'] * 32, 'categorical')):.3f}")
    0.663
    >>> print(f"{chisquare_p(usual, Column.of(['food'] * 50 + ['fuel'] * 50, 'categorical')):.0e}")
    1e-05
    >>> chisquare_p(usual, Column.of(["food"] * 70 + ["fuel"] * 29 + ["crypto"], "categorical"))
    0.0
    """
    from scipy.special import chdtrc

    keys = list(dict.fromkeys([*reference.counts, *current.counts]))
    if len(keys) == 1:
        return 1.0
    scale = len(current) / len(reference)
    expected = np.array([reference.counts.get(key, 0) * scale for key in keys])
    observed = np.array([current.counts.get(key, 0) for key in keys], dtype=np.float64)
    if (expected == 0).any():
        return 0.0
    statistic = float(np.sum((observed - expected) ** 2 / expected))
    return float(chdtrc(len(keys) - 1, statistic))
