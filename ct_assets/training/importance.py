"""How much a model leans on each feature: the AUC that is lost when the feature's column is shuffled.

Permutation importance, Breiman 2001, Random Forests (Machine Learning 45), on holdout rows and through the
exported graph: what is measured is what will serve. Two features that say the same share their importance.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ct_assets.gate.auc import roc_auc
from ct_assets.training.score import Scorer

__all__ = ["permutation_importance"]


def permutation_importance(
    graph: Scorer, rows: pa.Table, labels: np.ndarray, *, seed: int, repeats: int = 3
) -> dict[str, float]:
    """Feature name -> mean loss of AUC over `repeats` shuffles, largest first; `labels` 0/1 [rows] of both classes.

    A value at or below 0 means: as good without it.
    """
    feed = graph.feed(rows)
    whole = roc_auc(labels, graph.run(feed))
    if whole is None:
        raise ValueError("importance needs labels of both classes: AUC cannot be computed on one")
    rng = np.random.default_rng(seed)
    lost: dict[str, float] = {}
    for kind, names in (("numerical", graph.numerical), ("categorical", graph.categorical)):
        for column, name in enumerate(names):
            shuffled = feed[kind].copy()
            losses = []
            for _ in range(repeats):
                shuffled[:, column] = rng.permutation(feed[kind][:, column])
                losses.append(whole - (roc_auc(labels, graph.run({**feed, kind: shuffled})) or 0.0))
            lost[name] = float(np.mean(losses))
    return dict(sorted(lost.items(), key=lambda item: item[1], reverse=True))
