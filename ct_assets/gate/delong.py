"""DeLong's interval for the difference of two AUCs that were measured on the same rows.

DeLong, DeLong and Clarke-Pearson 1988, Comparing the Areas under Two or More Correlated Receiver Operating
Characteristic Curves (Biometrics 44); computed by midranks in O(rows log rows) after Sun and Xu 2014, Fast
Implementation of DeLong's Algorithm (IEEE Signal Processing Letters 21). Two models that saw the same hard
rows err together: the covariance is what makes the paired interval narrower than two separate ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ct_assets.gate.auc import midranks

__all__ = ["PairedDifference", "auc_difference"]


@dataclass(frozen=True)
class PairedDifference:
    """`candidate` minus `champion`; `p_value` is two-sided, of "both rank equally well"."""

    candidate: float
    champion: float
    difference: float
    standard_error: float
    low: float
    high: float
    confidence: float
    p_value: float


def auc_difference(
    labels: np.ndarray, candidate: np.ndarray, champion: np.ndarray, *, confidence: float = 0.95
) -> PairedDifference | None:
    """The difference of the AUCs of two score vectors [rows] on the same 0/1 `labels` [rows].

    None where a class has fewer than two rows: its variance, and so the interval, does not exist.

    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> labels = rng.integers(0, 2, 500)
    >>> sharp, dull = labels + rng.normal(0, 1, 500), labels + rng.normal(0, 3, 500)
    >>> d = auc_difference(labels, sharp, dull)
    >>> f"{d.candidate:.3f} - {d.champion:.3f} = {d.difference:.3f}, 95 % between {d.low:.3f} and {d.high:.3f}"
    '0.775 - 0.558 = 0.217, 95 % between 0.156 and 0.278'
    """
    positive = labels == 1
    m = int(positive.sum())
    n = len(labels) - m
    if m < 2 or n < 2:
        return None
    parts = [_structural_components(positive, scores) for scores in (candidate, champion)]
    areas = [float(v10.mean()) for v10, _ in parts]
    over_positives = np.cov(np.stack([v10 for v10, _ in parts]))
    over_negatives = np.cov(np.stack([v01 for _, v01 in parts]))
    covariance = over_positives / m + over_negatives / n
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    error = max(variance, 0.0) ** 0.5
    difference = areas[0] - areas[1]
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    return PairedDifference(
        candidate=areas[0],
        champion=areas[1],
        difference=difference,
        standard_error=error,
        low=difference - reach,
        high=difference + reach,
        confidence=confidence,
        p_value=_p_value(difference, error),
    )


def _structural_components(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each positive the share of negatives below it (V10); for each negative the share of positives above it (V01)."""
    among_all = midranks(scores)
    m, n = int(positive.sum()), int((~positive).sum())
    v10 = (among_all[positive] - midranks(scores[positive])) / n
    v01 = 1 - (among_all[~positive] - midranks(scores[~positive])) / m
    return v10, v01


def _p_value(difference: float, error: float) -> float:
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return 2 * NormalDist().cdf(-abs(difference) / error)
