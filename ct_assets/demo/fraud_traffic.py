"""Card transactions with a known truth: seeded frames of features, late labels and true probabilities.

The process is that of the Fraud Detection Handbook (Le Borgne, Siblini, Lebichot, Bontempi, 2022, chapter
3), written anew, with a few more features that a card issuer knows, so that a good model can reach an AUC
far above 0.91. Times are UTC, amounts euros, distances km, rates and probabilities 0..1. Without a regime
the traffic is stationary from the first day on; with one, the days before it are the same row for row, so
scenarios share their history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import numpy as np
import polars as pl

from ct_assets.demo.fraud_days import Transactions, draw_day, with_card_testing, with_new_category
from ct_assets.demo.fraud_features import FEATURES, LABEL_DELAY, REACH_DAYS, with_labels
from ct_assets.demo.fraud_population import Stream, populate, stream
from ct_assets.demo.fraud_regimes import Behaviour, Regime, behaviour
from ct_assets.demo.fraud_thieves import compromise

ENTITY = "customer_id"

# the reach of the windows, and as long again for what known frauds do to the next ones
_WARM_UP_DAYS = 2 * REACH_DAYS
_LOST_AMOUNTS = 0.4


@dataclass(frozen=True)
class FraudTraffic:
    """What to generate: `days` UTC days from `first_day` on, exactly `tx_per_day` transactions each.

    `regime` holds from `drift_from` on (None: never); from `new_category_from` on, about 5 % of the rows carry
    a merchant category never seen before. The Handbook's full size is `tx_per_day=9_600`.
    """

    first_day: date
    days: int
    seed: int = 42
    tx_per_day: int = 1500
    regime: Regime = Regime.NONE
    drift_from: date | None = None
    new_category_from: date | None = None

    def __post_init__(self) -> None:
        for name, least in {"days": 1, "tx_per_day": 1, "seed": 0}.items():
            if getattr(self, name) < least:
                raise ValueError(f"FraudTraffic.{name} must be at least {least}, not {getattr(self, name)}")

    def day_of(self, start: date | None) -> float:
        """`start` counted in days from the first day; infinity for None: a day never reached."""
        return np.inf if start is None else (start - self.first_day).days

    def behaviour_on(self, day: int) -> Behaviour:
        """What the traffic of a day, counted from the first day, is drawn from."""
        return behaviour(self.regime if day >= self.day_of(self.drift_from) else Regime.NONE)


def generate(traffic: FraudTraffic) -> pl.DataFrame:
    """All transactions of `traffic`, one a row, sorted by `event_time`.

    Columns: `request_id`, `event_time`, `customer_id`, `terminal_id`, the `FEATURES`, `is_fraud` (Int64, 0 or
    1), `label_time` (when `is_fraud` becomes known) and `p_fraud`, the true probability of fraud given the
    features as they were before any fault of `Regime.BROKEN`. Times are Datetime("us", "UTC").
    """
    transactions = _play(traffic)
    played = range(-_WARM_UP_DAYS, traffic.days)
    card_testing = np.array([traffic.behaviour_on(day).card_testing_share > 0 for day in played])
    columns = with_labels(transactions, np.repeat(card_testing, traffic.tx_per_day)) | {
        "time_us": transactions.time_us,
        "customer": transactions.customer,
        "terminal": transactions.terminal,
    }
    first = _WARM_UP_DAYS * traffic.tx_per_day
    midnight = pl.lit(datetime.combine(traffic.first_day, time(), UTC)).cast(pl.Datetime("us", "UTC"))
    event_time = midnight + pl.duration(microseconds="time_us")
    frame = (
        pl.DataFrame({name: values[first:] for name, values in columns.items()})
        .with_row_index("n")
        .select(
            pl.format(f"tx-{traffic.seed}-{{}}", "n").alias("request_id"),
            event_time.alias("event_time"),
            pl.format("customer-{}", "customer").alias(ENTITY),
            pl.format("terminal-{}", "terminal").alias("terminal_id"),
            *FEATURES,
            "is_fraud",
            (event_time + LABEL_DELAY).alias("label_time"),
            "p_fraud",
        )
    )
    return _damage(frame, traffic) if traffic.regime is Regime.BROKEN else frame


def ceiling_auc(frame: pl.DataFrame) -> float:
    """ROC AUC of `p_fraud` against `is_fraud`: what the best possible model scores, but for luck.

    Mann-Whitney: the share of (fraud, genuine) pairs in the right order, a tie counting half.

    >>> ceiling_auc(pl.DataFrame({"p_fraud": [0.1, 0.5, 0.5, 0.9], "is_fraud": [0, 0, 1, 1]}))
    0.875
    """
    fraud = frame["is_fraud"].to_numpy() == 1
    frauds, genuine = int(fraud.sum()), int((~fraud).sum())
    if not frauds or not genuine:
        raise ValueError(f"is_fraud: an AUC needs both classes, got {frauds} frauds, {genuine} genuine rows")
    _, group, sizes = np.unique(frame["p_fraud"].to_numpy(), return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(sizes) - (sizes - 1) / 2
    return float((mean_rank[group][fraud].sum() - frauds * (frauds + 1) / 2) / (frauds * genuine))


def _play(traffic: FraudTraffic) -> Transactions:
    """Every transaction from the warm-up on, in order of time."""
    seed, size = traffic.seed, traffic.tx_per_day
    population = populate(seed, size)
    thieves = compromise(seed, population, -_WARM_UP_DAYS, traffic.days - 1)
    days = []
    for day in range(-_WARM_UP_DAYS, traffic.days):
        follows = traffic.behaviour_on(day)
        drawn = draw_day(seed, day, size, population, thieves, follows)
        if day >= traffic.day_of(traffic.new_category_from):
            drawn = with_new_category(drawn, seed, day, population, thieves)
        if follows.card_testing_share:
            drawn = with_card_testing(drawn, seed, day, population, thieves, follows.card_testing_share)
        days.append(drawn)
    return Transactions.in_order(days)


def _damage(frame: pl.DataFrame, traffic: FraudTraffic) -> pl.DataFrame:
    """What a broken upstream does: it loses amounts, and cuts the time of day off its timestamps."""
    start = traffic.day_of(traffic.drift_from)
    lost = np.zeros((traffic.days, traffic.tx_per_day), dtype=bool)
    late = np.zeros_like(lost)
    for day in range(traffic.days):
        if day >= start:
            lost[day] = stream(traffic.seed, Stream.FAULT, day).random(traffic.tx_per_day) < _LOST_AMOUNTS
            late[day] = True
    is_lost, is_cut = pl.lit(pl.Series(lost.ravel())), pl.lit(pl.Series(late.ravel()))
    return frame.with_columns(
        pl.when(~is_lost).then("transaction_amount").alias("transaction_amount"),
        pl.when(~is_lost).then("amount_over_mean_30d").alias("amount_over_mean_30d"),
        pl.when(is_cut).then(0.0).otherwise("hour_of_day").alias("hour_of_day"),
    )
