from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ct_assets.gate.delong import auc_difference


def _by_definition(labels: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Difference and variance pair by pair, as DeLong et al. 1988 write them (quadratic in rows)."""
    components = []
    for scores in (a, b):
        x, y = scores[labels == 1][:, None], scores[labels == 0][None, :]
        wins = (x > y) + 0.5 * (x == y)
        components.append((wins.mean(axis=1), wins.mean(axis=0)))
    (a10, a01), (b10, b01) = components
    m, n = len(a10), len(a01)
    variance = np.var(a10 - b10, ddof=1) / m + np.var(a01 - b01, ddof=1) / n
    return a10.mean() - b10.mean(), variance


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, 80), st.integers(1, 12))
def test_the_fast_form_equals_the_definition_ties_included(seed: int, rows: int, grid: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 3 == 0
    a, b = (np.round((labels + rng.normal(size=rows)) * grid) / grid for _ in range(2))
    found = auc_difference(labels.astype(int), a, b)
    assert found is not None
    difference, variance = _by_definition(labels, a, b)
    assert found.difference == pytest.approx(difference, abs=1e-12)
    assert found.standard_error**2 == pytest.approx(variance, abs=1e-12)
    assert found.candidate == pytest.approx(roc_auc_score(labels, a), abs=1e-12)
    assert found.champion == pytest.approx(roc_auc_score(labels, b), abs=1e-12)


def test_a_model_does_not_differ_from_itself() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 200), rng.random(200)
    found = auc_difference(labels, scores, scores)
    assert (found.difference, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_swapping_the_models_turns_the_interval_around() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 300)
    a, b = labels + rng.normal(size=300), rng.random(300)
    there, back = auc_difference(labels, a, b), auc_difference(labels, b, a)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p_value == pytest.approx(back.p_value)


def test_the_interval_covers_no_difference_as_often_as_it_says() -> None:
    """Two equally good models, 400 holdouts: the 95 % interval misses zero in about 5 % of them."""
    rng = np.random.default_rng(7)
    misses = 0
    for _ in range(400):
        labels = (np.arange(300) < 60).astype(int)
        shared = labels + rng.normal(size=300)
        a, b = (shared + rng.normal(0, 0.7, 300) for _ in range(2))
        found = auc_difference(labels, a, b)
        misses += not found.low <= 0 <= found.high
    assert 8 <= misses <= 33


def test_a_class_with_a_single_row_has_no_interval() -> None:
    labels = np.array([0, 0, 0, 1])
    assert auc_difference(labels, np.arange(4.0), np.arange(4.0)) is None
