from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ct_assets.gate.auc import midranks, roc_auc

# few distinct values, so that ties are the rule
_ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])), min_size=2, max_size=60
)


@settings(max_examples=60, deadline=None)
@given(_ROWS)
def test_the_area_equals_scikit_learns_ties_included(rows: list[tuple[int, float]]) -> None:
    labels, scores = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    if len(set(labels)) < 2:
        assert roc_auc(labels, scores) is None
    else:
        assert roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_the_area_equals_scikit_learns_on_many_rows() -> None:
    rng = np.random.default_rng(3)
    labels = rng.random(50_000) < 0.01
    scores = np.round(labels * 0.5 + rng.normal(size=50_000), 3)
    assert roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(_ROWS)
def test_only_the_order_of_scores_counts(rows: list[tuple[int, float]]) -> None:
    labels, scores = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    assert roc_auc(labels, scores) == roc_auc(labels, np.exp(3 * scores))


def test_one_class_alone_has_no_area() -> None:
    assert roc_auc(np.ones(5), np.arange(5.0)) is None
    assert roc_auc(np.zeros(5), np.arange(5.0)) is None
    assert roc_auc(np.array([]), np.array([])) is None


def test_midranks_sum_to_what_ranks_sum_to() -> None:
    assert midranks(np.array([2.0, 2.0, 2.0, 1.0])).tolist() == [3.0, 3.0, 3.0, 1.0]
