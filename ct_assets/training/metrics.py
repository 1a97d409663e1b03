"""What is measured of a candidate on its holdout, from the scores of the graph that would serve."""

from __future__ import annotations

import numpy as np

__all__ = ["holdout_metrics"]


def holdout_metrics(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Ranking (roc_auc, average_precision), probability (log_loss, brier), and scale, for 0/1 `labels` and `scores` [rows].

    `calibration_ratio`: mean score over the share of positives; 1 is calibrated in the large, 2 cries wolf twice too
    often. `precision_top_1pct`: share of positives among the hundredth of rows that score highest.
    """
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    rate = float(labels.mean())
    top = np.argsort(-scores, kind="stable")[: max(1, len(scores) // 100)]
    return {
        "roc_auc": float(roc_auc_score(labels, scores)),
        "average_precision": float(average_precision_score(labels, scores)),
        "log_loss": float(log_loss(labels, scores, labels=[0, 1])),
        "brier": float(brier_score_loss(labels, scores)),
        "calibration_ratio": float(scores.mean() / rate),
        "precision_top_1pct": float(labels[top].mean()),
        "positive_rate": rate,
    }
