"""With a real learner: the champion falls below the gate on new fraud, and four mature days repair it."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from ct_assets.demo import CATEGORIES, FEATURES, FraudTraffic, Regime, generate

FIRST = date(2024, 1, 1)
DRIFT_DAY, ROWS = 90, 1500
GATE_AUC = 0.91
SEED = 42


class _Auc(NamedTuple):
    value: float
    standard_error: float


def _auc(model: Any, rows: pl.DataFrame) -> _Auc:
    """With the standard error of Hanley and McNeil (1982)."""
    from sklearn.metrics import roc_auc_score

    labels = rows["is_fraud"].to_numpy()
    auc = float(roc_auc_score(labels, model.predict_proba(_inputs(rows))[:, 1]))
    frauds, genuine = labels.sum(), (1 - labels).sum()
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (frauds - 1) * (q1 - auc**2) + (genuine - 1) * (q2 - auc**2)
    return _Auc(auc, float(np.sqrt(spread / (frauds * genuine))))


def _inputs(rows: pl.DataFrame) -> NDArray[np.float64]:
    codes = {category: code for code, category in enumerate(CATEGORIES)}
    encoded = rows.with_columns(pl.col("merchant_category").replace_strict(codes, return_dtype=pl.Float64))
    return encoded.select(list(FEATURES)).to_numpy()


@cache
def _frame(regime: Regime) -> pl.DataFrame:
    drift_from = FIRST + timedelta(days=DRIFT_DAY)
    return generate(FraudTraffic(FIRST, DRIFT_DAY + 7, SEED, regime=regime, drift_from=drift_from))


def _days(regime: Regime, start: int, end: int) -> pl.DataFrame:
    return _frame(regime)[start * ROWS : end * ROWS]


@cache
def _trained(start: int, end: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    rows = _days(Regime.CONCEPT, start, end)
    model = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=400, early_stopping=False, random_state=0
    )
    with threadpool_limits(1):  # on a busy machine, threads that wait for each other cost more than they save
        return model.fit(_inputs(rows), rows["is_fraud"].to_numpy())


@pytest.mark.parametrize("regime", [Regime.NONE, Regime.COVARIATE])
def test_the_champion_keeps_its_auc_while_the_fraud_rule_holds(regime: Regime) -> None:
    champion = _trained(0, DRIFT_DAY)

    assert _auc(champion, _days(regime, DRIFT_DAY, DRIFT_DAY + 7)).value > 0.95


def test_new_fraud_brings_the_champion_below_the_gate() -> None:
    champion = _trained(0, DRIFT_DAY)

    auc = _auc(champion, _days(Regime.CONCEPT, DRIFT_DAY + 4, DRIFT_DAY + 7))
    assert 0.70 < auc.value < GATE_AUC - auc.standard_error


def test_four_mature_days_among_ninety_teach_the_new_fraud() -> None:
    challenger = _trained(4, DRIFT_DAY + 4)

    auc = _auc(challenger, _days(Regime.CONCEPT, DRIFT_DAY + 4, DRIFT_DAY + 7))
    assert auc.value > GATE_AUC + 2 * auc.standard_error
