"""Two-sample Kolmogorov-Smirnov test, as Evidently 0.7.23 does it: scipy's, exact up to 10,000 values a sample.

Smirnov, Table for Estimating the Goodness of Fit of Empirical Distributions (1948); Hodges, The Significance
Probability of the Smirnov Two-Sample Test (1958). It assumes that no value occurs twice; with hours of the day it is
conservative.
"""

from __future__ import annotations

import warnings

from ct_assets.drift.columns import Column

__all__ = ["ks_p"]


def ks_p(reference: Column, current: Column) -> float:
    """p-value, 0..1, of two numerical columns, neither empty.

    >>> usual = Column.of([*range(24)] * 10, "numerical")
    >>> print(f"{ks_p(usual, Column.of(range(24), 'numerical')):.2f}")
    1.00
    >>> print(f"{ks_p(usual, Column.of([*range(12)] * 2, 'numerical')):.0e}")   # nobody pays in the afternoon any more
    2e-05
    """
    from scipy.stats import ks_2samp

    with warnings.catch_warnings():
        # scipy announces its own switch from the exact to the asymptotic p-value: no concern of a reader
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(ks_2samp(reference.numbers, current.numbers).pvalue)
