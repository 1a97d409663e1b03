"""The area under the ROC curve, by ranks: the probability that a positive scores above a negative, ties half.

Hanley and McNeil 1982, The Meaning and Use of the Area under a ROC Curve (Radiology 143). Mann and Whitney's
U statistic over the number of pairs, so no curve is drawn and no threshold chosen.
"""

from __future__ import annotations

import numpy as np

__all__ = ["midranks", "roc_auc"]


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """AUC in 0..1 of `scores` [rows] for 0/1 `labels` [rows]; None where one class is absent: there is no such number.

    >>> import numpy as np
    >>> roc_auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    >>> roc_auc(np.array([0, 1]), np.array([0.5, 0.5]))                 # a tie is half a pair
    0.5
    >>> print(roc_auc(np.array([1, 1]), np.array([0.2, 0.9])))
    None
    """
    positive = labels == 1
    m = int(positive.sum())
    n = len(labels) - m
    if m == 0 or n == 0:
        return None
    return float((midranks(scores)[positive].sum() - m * (m + 1) / 2) / (m * n))


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the middle of theirs; float64 [rows].

    >>> import numpy as np
    >>> midranks(np.array([0.3, 0.1, 0.3])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])
