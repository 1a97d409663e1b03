"""At the default size: what a drift monitor must stay silent about, and what it must see."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import stats

from ct_assets.demo import CATEGORIES, FEATURES, FraudTraffic, Regime, ceiling_auc, generate
from ct_assets.demo.fraud_rule import RULE_FEATURES, fraud_probability

FIRST = date(2024, 1, 1)
HISTORY_DAYS, LIVE_DAYS, ROWS = 90, 14, 1500
SEEDS = range(3)


@cache
def _frame(seed: int, regime: Regime = Regime.NONE) -> pl.DataFrame:
    drift_from = FIRST + timedelta(days=HISTORY_DAYS)
    return generate(FraudTraffic(FIRST, HISTORY_DAYS + LIVE_DAYS, seed, regime=regime, drift_from=drift_from))


def _history(frame: pl.DataFrame) -> pl.DataFrame:
    return frame[: HISTORY_DAYS * ROWS]


def _live(frame: pl.DataFrame) -> pl.DataFrame:
    return frame[HISTORY_DAYS * ROWS :]


def _live_days(frame: pl.DataFrame) -> list[pl.DataFrame]:
    return list(_live(frame).iter_slices(ROWS))


def _reference(frame: pl.DataFrame) -> pl.DataFrame:
    return _history(frame).sample(5000, seed=0)


def _psi(reference: pl.Series, current: pl.Series) -> float:
    """Evidently's: equal-width Sturges bins over both windows together, 1e-4 for an empty bin."""
    windows = [values.drop_nulls().to_numpy() for values in (reference, current)]
    edges = np.histogram_bin_edges(np.concatenate(windows), bins="sturges")
    expected, actual = (np.histogram(values, edges)[0] / len(values) for values in windows)
    expected, actual = np.where(expected == 0, 1e-4, expected), np.where(actual == 0, 1e-4, actual)
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def _amount_psi(frame: pl.DataFrame) -> list[float]:
    reference = _reference(frame)["transaction_amount"]
    return [_psi(reference, day["transaction_amount"]) for day in _live_days(frame)]


def _daily_counts(frame: pl.DataFrame, column: str) -> NDArray[np.int64]:
    """(days, values)"""
    values = sorted(frame[column].unique())
    days = [day[column].value_counts() for day in frame.iter_slices(ROWS)]
    counts: list[dict[Any, int]] = [dict(day.iter_rows()) for day in days]
    return np.array([[day.get(value, 0) for value in values] for day in counts])


@pytest.mark.parametrize("seed", SEEDS)
def test_amounts_never_alarm_without_a_drift(seed: int) -> None:
    assert max(_amount_psi(_frame(seed))) < 0.1


@pytest.mark.parametrize("column", ["merchant_category", "hour_of_day"])
def test_a_days_categories_and_hours_vary_as_a_sample_does(column: str) -> None:
    """Homogeneity over the days of all seeds: more spread than a sample's would show as a small p."""
    p_values = [stats.chi2_contingency(_daily_counts(_frame(seed), column)).pvalue for seed in SEEDS]

    assert stats.combine_pvalues(p_values).pvalue > 0.001
    assert stats.combine_pvalues(1 - np.array(p_values)).pvalue > 0.001


@pytest.mark.parametrize(
    "feature", ["terminal_fraud_rate_30d", "terminal_tx_count_30d", "customer_mean_amount_30d"]
)
def test_windows_are_warm_on_the_first_day_and_show_no_trend(feature: str) -> None:
    daily = np.mean([_frame(s)[feature].to_numpy().reshape(-1, ROWS).mean(axis=1) for s in SEEDS], axis=0)

    for days in (slice(0, 7), slice(0, 30), slice(-30, None)):
        assert daily[days].mean() == pytest.approx(daily.mean(), rel=0.08)


@pytest.mark.parametrize("seed", SEEDS)
def test_three_to_five_percent_are_fraud(seed: int) -> None:
    assert 0.03 < _frame(seed)["is_fraud"].mean() < 0.05


@pytest.mark.parametrize("regime", [Regime.COVARIATE, Regime.CONCEPT, Regime.BROKEN])
def test_fraud_stays_as_rare_under_every_regime(regime: Regime) -> None:
    rate = np.mean([_live(_frame(seed, regime))["is_fraud"].mean() for seed in SEEDS])

    assert 0.03 < rate < 0.05


@pytest.mark.parametrize("regime", list(Regime))
def test_the_best_model_is_far_above_the_gate_under_every_regime(regime: Regime) -> None:
    for seed in SEEDS:
        assert ceiling_auc(_live(_frame(seed, regime))) > 0.97


@pytest.mark.parametrize("regime", [Regime.COVARIATE, Regime.CONCEPT])
def test_any_single_day_shows_a_covariate_drift(regime: Regime) -> None:
    for seed in SEEDS:
        frame = _frame(seed, regime)
        assert min(_amount_psi(frame)) > 0.35
        reference = _daily_counts(_history(frame), "merchant_category").sum(axis=0)
        for day in _daily_counts(_live(frame), "merchant_category"):
            assert stats.chi2_contingency([reference, day]).pvalue < 1e-12


def test_a_covariate_drift_leaves_the_fraud_rule_and_the_hours_alone() -> None:
    ordinary, drifted = _live(_frame(0)), _live(_frame(0, Regime.COVARIATE))
    columns = {name: drifted[name].to_numpy() for name in RULE_FEATURES}

    same_rule = fraud_probability(columns, np.zeros(len(drifted), dtype=bool))
    np.testing.assert_allclose(same_rule, drifted["p_fraud"].to_numpy(), rtol=1e-12)
    assert drifted["hour_of_day"].equals(ordinary["hour_of_day"])


def test_card_testing_strikes_where_there_was_almost_no_traffic() -> None:
    struck = (
        (pl.col("merchant_category") == "digital_goods")
        & pl.col("hour_of_day").is_between(1, 4)
        & (pl.col("transaction_amount") < 5)
    )
    for seed in SEEDS:
        frame = _frame(seed, Regime.CONCEPT)
        before, after = _history(frame).filter(struck), _live(frame).filter(struck)
        assert len(before) < len(_history(frame)) / 4000
        assert before["is_fraud"].sum() <= 1
        assert len(after) > 10 * LIVE_DAYS
        assert after["is_fraud"].mean() > 0.9


def test_a_broken_upstream_damages_columns_and_nothing_else() -> None:
    whole, broken = _live(_frame(0)), _live(_frame(0, Regime.BROKEN))
    damaged = {"transaction_amount", "amount_over_mean_30d", "hour_of_day"}

    untouched = [name for name in whole.columns if name not in damaged]
    assert broken.select(untouched).equals(whole.select(untouched))
    assert damaged <= FEATURES.keys()
    for day in _live_days(_frame(0, Regime.BROKEN)):
        assert day["transaction_amount"].is_null().mean() == pytest.approx(0.4, abs=0.06)
        assert day["hour_of_day"].unique().to_list() == [0.0]
    kept = broken["transaction_amount"].is_not_null()
    assert broken["transaction_amount"].filter(kept).equals(whole["transaction_amount"].filter(kept))
    assert (broken["amount_over_mean_30d"].is_not_null() == kept).all()


def test_a_broken_upstream_is_no_drift_of_the_amounts_that_arrive() -> None:
    assert max(_amount_psi(_frame(0, Regime.BROKEN))) < 0.1


def test_the_first_categories_are_all_in_use_every_day() -> None:
    counts = _daily_counts(_frame(0), "merchant_category")

    assert counts.shape[1] == len(CATEGORIES)
    assert counts.min() > 30
