"""With a real learner: the champion falls below the gate on new fraud, and four mature days repair it."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from ct_assets.catalog import load_spec
from ct_assets.demo import FraudTraffic, Regime, generate
from ct_assets.gate import roc_auc
from ct_assets.training import Dataset, Scorer, TrainingWindow
from ct_assets.training.trainer import fit

SPEC = load_spec("fraud_detector")

FIRST = date(2024, 1, 1)
DRIFT_DAY, ROWS = 90, 1500
GATE_AUC = SPEC.gate.threshold
SEED = 42


class _Auc(NamedTuple):
    value: float
    standard_error: float


def _auc(model: Scorer, rows: pl.DataFrame) -> _Auc:
    """With the standard error of Hanley and McNeil (1982)."""
    labels = rows["is_fraud"].to_numpy()
    auc = roc_auc(labels, model(rows.to_arrow()))
    assert auc is not None
    frauds, genuine = labels.sum(), (1 - labels).sum()
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (frauds - 1) * (q1 - auc**2) + (genuine - 1) * (q2 - auc**2)
    return _Auc(auc, float(np.sqrt(spread / (frauds * genuine))))


@cache
def _frame(regime: Regime) -> pl.DataFrame:
    drift_from = FIRST + timedelta(days=DRIFT_DAY)
    return generate(FraudTraffic(FIRST, DRIFT_DAY + 7, SEED, regime=regime, drift_from=drift_from))


def _days(regime: Regime, start: int, end: int) -> pl.DataFrame:
    return _frame(regime)[start * ROWS : end * ROWS]


@cache
def _trained(start: int, end: int) -> Scorer:
    """What would be served: the shipped trainer on the shipped spec, exported."""
    rows = (
        _days(Regime.CONCEPT, start, end).with_columns(label=pl.col("is_fraud").cast(pl.Float64)).to_arrow()
    )
    window = TrainingWindow.of(SPEC, FIRST + timedelta(days=end + 9))
    dataset = Dataset(window, rows, rows.slice(0, 0), "hash", ())
    return Scorer(fit(SPEC, dataset).to_onnx().SerializeToString(), SPEC.numerical, SPEC.categorical)


@pytest.mark.parametrize("regime", [Regime.NONE, Regime.COVARIATE])
def test_the_champion_keeps_its_auc_while_the_fraud_rule_holds(regime: Regime) -> None:
    champion = _trained(0, DRIFT_DAY)

    assert _auc(champion, _days(regime, DRIFT_DAY, DRIFT_DAY + 7)).value > 0.95


def test_new_fraud_brings_the_champion_below_the_gate() -> None:
    champion = _trained(0, DRIFT_DAY)

    auc = _auc(champion, _days(Regime.CONCEPT, DRIFT_DAY + 4, DRIFT_DAY + 7))
    assert 0.70 < auc.value < GATE_AUC - 2 * auc.standard_error


def test_four_mature_days_among_ninety_teach_the_new_fraud() -> None:
    challenger = _trained(4, DRIFT_DAY + 4)

    auc = _auc(challenger, _days(Regime.CONCEPT, DRIFT_DAY + 4, DRIFT_DAY + 7))
    assert auc.value > GATE_AUC + 2 * auc.standard_error
