"""The second opinion on a crossed threshold: is the difference larger than two samples of these sizes show by chance?

Pearson's test of homogeneity of two samples over merged cells. With n and m values, the statistic X2 times
(1/n + 1/m) is an effect on the scale of PSI (to which it tends for small shifts), and without any drift X2 is
chi-square with k - 1 degrees of freedom. So chi2_{k-1, .99} * (1/n + 1/m) is the noise floor: 99 of 100 quiet windows
stay below it. The guard agrees with an alarm when the effect exceeds that floor by `EFFECT_FLOOR`, and when the
p-values, adjusted for the number of columns, agree as well.

Without the first, a million rows make every jitter significant; without the second, a small window makes every
fluke large; the bare p < 0.05 of the contract alarms on a quiet day in 20 by construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ct_assets.drift.cells import cell_counts
from ct_assets.drift.columns import Column

__all__ = ["EFFECT_FLOOR", "Homogeneity", "compare", "significant"]

NOISE_QUANTILE = 0.99
# A fifth of what credit scoring calls a moderate shift (0.1), and 50 times what a 2 % jitter of the shares gives. In 280
# quiet days of the fraud traffic (1,500 rows against 20,000) amount, category and hour passed their noise floor by
# 0.005 at most; windows per customer, whose rows are not independent, by 0.03.
EFFECT_FLOOR = 0.02
# False discovery rate over the columns of a window.
DISCOVERY_RATE = 0.01


@dataclass(frozen=True, slots=True)
class Homogeneity:
    """How unlike two columns are."""

    effect: float
    """X2 * (1/n + 1/m): a distance on the scale of PSI."""
    noise_floor: float
    p_value: float
    cells: int

    @property
    def stands_clear(self) -> bool:
        """Whether the effect exceeds its noise floor by the effect floor."""
        return self.effect > self.noise_floor + EFFECT_FLOOR


def compare(reference: Column, current: Column) -> Homogeneity | None:
    """Two columns of one kind, neither empty; None where they hold too few values to be told apart.

    >>> usual = Column.of(["food"] * 7000 + ["fuel"] * 3000, "categorical")
    >>> found = compare(usual, Column.of(["food"] * 680 + ["fuel"] * 320, "categorical"))
    >>> print(f"effect {found.effect:.4f}, noise floor {found.noise_floor:.4f}, {found.stands_clear}")
    effect 0.0019, noise floor 0.0073, False
    >>> print(f"effect {compare(usual, Column.of(['food'] * 550 + ['fuel'] * 450, 'categorical')).effect:.4f}")
    effect 0.1045
    """
    from scipy.special import chdtrc, chdtri

    a, b = cell_counts(reference, current)
    if len(a) < 2:
        return None
    n, m = int(a.sum()), int(b.sum())
    pooled = (a + b) / (n + m)
    statistic = float((((a - n * pooled) ** 2) / (n * pooled) + ((b - m * pooled) ** 2) / (m * pooled)).sum())
    scale = 1 / n + 1 / m
    freedom = len(a) - 1
    return Homogeneity(
        effect=statistic * scale,
        noise_floor=float(chdtri(freedom, 1 - NOISE_QUANTILE)) * scale,
        p_value=float(chdtrc(freedom, statistic)),
        cells=len(a),
    )


def significant(p_values: Mapping[str, float], rate: float = DISCOVERY_RATE) -> frozenset[str]:
    """The names whose p-values are discoveries at a false discovery rate of `rate`.

    Benjamini and Hochberg, Controlling the False Discovery Rate (1995): of m sorted p-values, all up to the last
    that is at most its rank / m * rate.

    >>> sorted(significant({"amount": 1e-9, "hour": 0.006, "age": 0.02, "country": 0.7}))
    ['amount']
    >>> sorted(significant({"amount": 1e-9, "hour": 0.004, "age": 0.02, "country": 0.7}))
    ['amount', 'hour']
    """
    ranked = sorted(p_values.items(), key=lambda item: item[1])
    found = 0
    for rank, (_, p) in enumerate(ranked, start=1):
        if p <= rank / len(ranked) * rate:
            found = rank
    return frozenset(name for name, _ in ranked[:found])
