"""One picture of a candidate on its holdout: the ROC curve, and how its probabilities compare with what happened."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["plot_holdout"]


def plot_holdout(path: Path, labels: np.ndarray, scores: np.ndarray, *, title: str) -> None:
    """Writes a PNG for 0/1 `labels` (both classes) and `scores` [rows]; the calibration's scale is logarithmic, for rare events."""
    from matplotlib.figure import Figure  # no pyplot: no window system, no state between runs
    from sklearn.metrics import roc_auc_score, roc_curve

    figure = Figure(figsize=(9, 4), layout="constrained")
    roc, calibration = figure.subplots(1, 2)
    false_positive, true_positive, _ = roc_curve(labels, scores)
    roc.plot(false_positive, true_positive, label=f"AUC {roc_auc_score(labels, scores):.4f}")
    roc.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="--")
    roc.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")
    roc.legend(loc="lower right")

    groups = _groups(labels, scores)
    predicted, observed = [scores[g].mean() for g in groups], [labels[g].mean() for g in groups]
    low = max(min(predicted + observed) / 2, 1e-6)
    calibration.plot([low, 1], [low, 1], color="grey", linewidth=0.8, linestyle="--")
    calibration.plot(predicted, observed, marker="o", linestyle="none")
    calibration.set(
        xscale="log",
        yscale="log",
        xlabel="mean score",
        ylabel="share of positives",
        title="Calibration, a tenth of the positives each",
    )
    figure.suptitle(title)
    figure.savefig(path, dpi=100)


def _groups(labels: np.ndarray, scores: np.ndarray, count: int = 10) -> list[np.ndarray]:
    """Row numbers in groups by rising score, each with its share of the positives: of rare events, tenths of the
    rows would show nine groups of chance and one that holds everything."""
    order = np.argsort(scores, kind="stable")
    before = np.cumsum(labels[order]) - labels[order]
    count = min(count, int(labels.sum()))
    group = np.minimum(
        before * count // labels.sum(), count - 1
    )  # negatives above the last positive join its group
    return [order[group == g] for g in np.unique(group)]
