"""The frame that `generate` returns: its contract, its determinism, and features that know only the past."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ct_assets.demo import (
    CATEGORIES,
    ENTITY,
    FEATURES,
    NEW_CATEGORY,
    FraudTraffic,
    Regime,
    ceiling_auc,
    generate,
)
from ct_assets.demo.fraud_rule import RULE_FEATURES, fraud_probability

FIRST = date(2024, 1, 1)
DRIFT = date(2024, 1, 21)
_generate = cache(generate)


def _frame(
    regime: Regime = Regime.NONE, days: int = 28, size: int = 400, new: date | None = None
) -> pl.DataFrame:
    return _generate(
        FraudTraffic(FIRST, days, tx_per_day=size, regime=regime, drift_from=DRIFT, new_category_from=new)
    )


def _before(frame: pl.DataFrame, day: date) -> pl.DataFrame:
    return frame.filter(pl.col("event_time") < datetime(day.year, day.month, day.day, tzinfo=UTC))


def _from(frame: pl.DataFrame, day: date) -> pl.DataFrame:
    return frame.filter(pl.col("event_time") >= datetime(day.year, day.month, day.day, tzinfo=UTC))


def test_the_columns_are_those_of_the_contract() -> None:
    frame = _frame()

    assert frame.columns == [
        "request_id",
        "event_time",
        ENTITY,
        "terminal_id",
        *FEATURES,
        "is_fraud",
        "label_time",
        "p_fraud",
    ]
    assert frame.schema["event_time"] == frame.schema["label_time"] == pl.Datetime("us", "UTC")
    assert frame.schema["is_fraud"] == pl.Int64
    types = {"numerical": pl.Float64, "categorical": pl.String}
    assert all(frame.schema[name] == types[kind] for name, kind in FEATURES.items())
    assert sum(frame.null_count().row(0)) == 0
    assert all(
        np.isfinite(frame[name].to_numpy()).all() for name, kind in FEATURES.items() if kind == "numerical"
    )


def test_truth_and_ids_are_no_features() -> None:
    assert not {"p_fraud", "is_fraud", "request_id", "label_time", ENTITY, "terminal_id"} & FEATURES.keys()


def test_rows_are_sorted_unique_and_as_many_a_day_as_asked() -> None:
    frame = _frame()

    assert frame["event_time"].is_sorted()
    assert frame["request_id"].is_unique().all()
    assert frame["request_id"][:2].to_list() == ["tx-42-0", "tx-42-1"]
    days = frame.group_by(pl.col("event_time").dt.date().alias("day")).len().sort("day")
    assert days["day"].to_list() == [FIRST + timedelta(days=i) for i in range(28)]
    assert set(days["len"]) == {400}
    assert (frame["label_time"] - frame["event_time"] == timedelta(days=7)).all()
    assert (frame["event_time"].dt.hour() == frame["hour_of_day"]).all()


def test_the_same_seed_gives_the_same_frame_and_another_seed_another() -> None:
    traffic = FraudTraffic(FIRST, 3, seed=7, tx_per_day=100)

    assert_frame_equal(generate(traffic), generate(traffic))
    other = generate(FraudTraffic(FIRST, 3, seed=8, tx_per_day=100))
    assert not generate(traffic)["transaction_amount"].equals(other["transaction_amount"])


@pytest.mark.parametrize("regime", [Regime.COVARIATE, Regime.CONCEPT, Regime.BROKEN])
def test_the_days_before_a_drift_are_the_same_whatever_the_regime(regime: Regime) -> None:
    ordinary, drifted = _frame(), _frame(regime)

    assert_frame_equal(_before(drifted, DRIFT), _before(ordinary, DRIFT), check_exact=True)
    amounts = "transaction_amount"
    assert not _from(drifted, DRIFT)[amounts].equals(_from(ordinary, DRIFT)[amounts])


def test_a_regime_without_a_day_never_holds() -> None:
    traffic = FraudTraffic(FIRST, 5, tx_per_day=100, regime=Regime.BROKEN)

    assert_frame_equal(generate(traffic), generate(FraudTraffic(FIRST, 5, tx_per_day=100)))


def test_more_days_continue_the_fewer() -> None:
    short = _frame(Regime.CONCEPT, days=23)

    assert_frame_equal(_frame(Regime.CONCEPT).head(len(short)), short, check_exact=True)


def test_another_first_day_only_shifts_the_times() -> None:
    here = generate(FraudTraffic(date(2024, 2, 27), 4, tx_per_day=100))
    there = generate(FraudTraffic(date(2031, 8, 13), 4, tx_per_day=100))
    shift = date(2031, 8, 13) - date(2024, 2, 27)

    moved = here.with_columns(pl.col("event_time", "label_time") + shift)
    assert_frame_equal(moved, there, check_exact=True)


@pytest.mark.parametrize("regime", [Regime.NONE, Regime.COVARIATE, Regime.CONCEPT])
def test_the_probability_is_a_function_of_the_published_features_and_the_regime(regime: Regime) -> None:
    frame = _frame(regime)
    columns = {name: frame[name].to_numpy() for name in RULE_FEATURES}
    knows_testing = (frame["event_time"].dt.date() >= DRIFT).to_numpy() & (regime is Regime.CONCEPT)

    assert set(RULE_FEATURES) <= FEATURES.keys()
    np.testing.assert_allclose(
        fraud_probability(columns, knows_testing), frame["p_fraud"].to_numpy(), rtol=1e-12
    )


@pytest.mark.parametrize("regime", list(Regime))
def test_labels_are_drawn_from_the_probability(regime: Regime) -> None:
    frame = _frame(regime)
    p = frame["p_fraud"].to_numpy()

    for part in (p < 0.05, (p >= 0.05) & (p < 0.5), p >= 0.5):
        surprise = (frame["is_fraud"].to_numpy() - p)[part].sum() / np.sqrt((p * (1 - p))[part].sum())
        assert abs(surprise) < 4


def test_windows_hold_what_was_known_and_nothing_later() -> None:
    """Every window of the last day, counted again row by row."""
    frame = _frame(days=39, size=60)
    rows = frame.to_dicts()
    for row in rows[-60:]:
        now = row["event_time"]
        mine = [r for r in rows if r[ENTITY] == row[ENTITY] and r["event_time"] <= now]
        here = [r for r in rows if r["terminal_id"] == row["terminal_id"] and r["event_time"] <= now]
        for days in (1, 7, 30):
            window = timedelta(days=days)
            paid = [r["transaction_amount"] for r in mine if r["event_time"] > now - window]
            assert row[f"customer_tx_count_{days}d"] == len(paid)
            assert row[f"customer_mean_amount_{days}d"] == pytest.approx(sum(paid) / len(paid))
            assert row[f"terminal_tx_count_{days}d"] == sum(r["event_time"] > now - window for r in here)
            known = [r["is_fraud"] for r in here if now - window < r["label_time"] <= now]
            assert row[f"terminal_fraud_rate_{days}d"] == pytest.approx(sum(known) / max(len(known), 1))
        past = [r for r in mine[:-1] if r["event_time"] > now - timedelta(days=30)]
        if past:
            usual = sum(r["transaction_amount"] for r in past) / len(past)
            assert row["amount_over_mean_30d"] == pytest.approx(row["transaction_amount"] / usual)
            gap = (now - past[-1]["event_time"]).total_seconds() / 60
            assert row["minutes_since_previous"] == pytest.approx(gap)
        else:
            assert (row["amount_over_mean_30d"], row["minutes_since_previous"]) == (1, 43_200)


def test_a_new_category_appears_on_its_day_in_one_row_of_twenty() -> None:
    frame = _frame(new=DRIFT)
    before, after = _before(frame, DRIFT), _from(frame, DRIFT)

    assert_frame_equal(before, _before(_frame(), DRIFT), check_exact=True)
    assert set(before["merchant_category"]) == set(CATEGORIES)
    assert NEW_CATEGORY not in CATEGORIES
    assert set(after["merchant_category"]) == {*CATEGORIES, NEW_CATEGORY}
    assert (after["merchant_category"] == NEW_CATEGORY).mean() == pytest.approx(0.05, abs=0.015)
    where = frame.group_by("terminal_id").agg(pl.col("merchant_category").n_unique())
    assert where["merchant_category"].max() == 1


def test_the_ceiling_counts_ties_half_and_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    frame = _frame().with_columns(pl.col("p_fraud").round(2))

    assert frame["p_fraud"].n_unique() < len(frame) / 10
    assert ceiling_auc(frame) == pytest.approx(roc_auc_score(frame["is_fraud"], frame["p_fraud"]), abs=1e-12)


def test_a_ceiling_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="is_fraud: an AUC needs both classes, got 0 frauds"):
        ceiling_auc(_frame().filter(is_fraud=0))


@pytest.mark.parametrize(("name", "value"), [("days", 0), ("tx_per_day", 0), ("seed", -1)])
def test_a_size_that_makes_no_sense_is_refused_by_name(name: str, value: int) -> None:
    arguments = {"days": 1, "tx_per_day": 10, "seed": 1} | {name: value}

    with pytest.raises(ValueError, match=rf"FraudTraffic\.{name} must be at least .*, not {value}"):
        FraudTraffic(FIRST, **arguments)
