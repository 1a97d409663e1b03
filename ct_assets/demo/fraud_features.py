"""From raw transactions to what an issuer knows when it must answer, and the label it learns a week later.

All rows at once, but for the known frauds of a terminal: they end `LABEL_DELAY` before the transaction, so
the labels of one week need those of earlier weeks only, and the loop below runs over weeks, not rows.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ct_assets.demo.fraud_days import DAY_US, Transactions
from ct_assets.demo.fraud_population import Bools, Ints
from ct_assets.demo.fraud_regimes import MERCHANTS
from ct_assets.demo.fraud_rule import RULE_FEATURES, fraud_probability
from ct_assets.demo.fraud_windows import EntityWindows

Columns: TypeAlias = dict[str, NDArray[Any]]

LABEL_DELAY = timedelta(days=7)
"""A chargeback is known a week after the payment; no feature knows it earlier."""
WINDOWS_DAYS = (1, 7, 30)
REACH_DAYS = max(WINDOWS_DAYS) + LABEL_DELAY.days
"""How far back a feature looks."""

FEATURES: dict[str, Literal["numerical", "categorical"]] = {
    "transaction_amount": "numerical",
    "merchant_category": "categorical",
    "hour_of_day": "numerical",
    "customer_tx_count_1d": "numerical",
    "customer_tx_count_7d": "numerical",
    "customer_tx_count_30d": "numerical",
    "customer_mean_amount_1d": "numerical",
    "customer_mean_amount_7d": "numerical",
    "customer_mean_amount_30d": "numerical",
    "terminal_tx_count_1d": "numerical",
    "terminal_tx_count_7d": "numerical",
    "terminal_tx_count_30d": "numerical",
    "terminal_fraud_rate_1d": "numerical",
    "terminal_fraud_rate_7d": "numerical",
    "terminal_fraud_rate_30d": "numerical",
    "amount_over_mean_30d": "numerical",
    "minutes_since_previous": "numerical",
    "distance_home_km": "numerical",
    "card_present": "numerical",
    "device_age_days": "numerical",
    "terminal_decline_rate_1d": "numerical",
}
"""The model's inputs, in order: numerical ones are Float64, categorical ones String; only a fault makes nulls.

Windows of customers and `terminal_tx_count_*` end with the transaction and include it, as in the Handbook.
`terminal_fraud_rate_*` end a label delay before it, and are 0 without transactions. `amount_over_mean_30d`
compares with the customer's 30 days before the transaction, and is 1 when they are empty.
`minutes_since_previous` is of the same customer, at most 30 days.
"""

_LONGEST_GAP_MIN = 30 * 24 * 60.0


def with_labels(transactions: Transactions, card_testing: Bools) -> Columns:
    """The `FEATURES`, `is_fraud` (0 or 1) and `p_fraud` of every row.

    `card_testing`, (rows,), says which rows live on a day that knows it (see `fraud_rule`).
    """
    columns = _raw(transactions) | _of_customers(transactions)
    terminals = EntityWindows.of(transactions.terminal, transactions.time_us, REACH_DAYS)
    here = terminals.place
    known_end = terminals.since(LABEL_DELAY.days)
    known_start = {days: terminals.since(LABEL_DELAY.days + days) for days in WINDOWS_DAYS}
    for days in WINDOWS_DAYS:
        columns[f"terminal_tx_count_{days}d"] = (here + 1 - terminals.since(days)).astype(np.float64)
        columns[f"terminal_fraud_rate_{days}d"] = np.zeros(len(here))

    is_fraud = np.zeros(len(here), dtype=np.int64)
    p_fraud = np.zeros(len(here))
    for week in _weeks(transactions.time_us):
        known = terminals.sums(is_fraud)
        for days, start in known_start.items():
            count = known_end[week] - start[week]
            frauds = known[known_end[week]] - known[start[week]]
            columns[f"terminal_fraud_rate_{days}d"][week] = frauds / np.maximum(count, 1)
        inputs = {name: columns[name][week] for name in RULE_FEATURES}
        p_fraud[week] = fraud_probability(inputs, card_testing[week])
        is_fraud[week] = transactions.luck[week] < p_fraud[week]
    return columns | {"is_fraud": is_fraud, "p_fraud": p_fraud}


def _raw(transactions: Transactions) -> Columns:
    names = np.array(list(MERCHANTS))
    return {
        "transaction_amount": transactions.cents / 100,
        "merchant_category": names[transactions.category],
        "hour_of_day": np.floor(transactions.time_us % DAY_US / (DAY_US / 24)),
        "distance_home_km": transactions.distance_km,
        "card_present": transactions.card_present.astype(np.float64),
        "device_age_days": transactions.device_age_days,
        "terminal_decline_rate_1d": transactions.decline_rate,
    }


def _of_customers(transactions: Transactions) -> Columns:
    customers = EntityWindows.of(transactions.customer, transactions.time_us, REACH_DAYS)
    here, cents = customers.place, customers.sums(transactions.cents)
    columns: Columns = {}
    for days in WINDOWS_DAYS:
        start = customers.since(days)
        count = here + 1 - start
        columns[f"customer_tx_count_{days}d"] = count.astype(np.float64)
        columns[f"customer_mean_amount_{days}d"] = (cents[here + 1] - cents[start]) / count / 100

    start = customers.since(30)
    before = here - start
    usual_cents = (cents[here] - cents[start]) / np.maximum(before, 1)
    times_usual = transactions.cents / np.maximum(usual_cents, 1)
    columns["amount_over_mean_30d"] = np.where(before > 0, times_usual, 1.0)
    previous_us = transactions.time_us[customers.order[np.maximum(here - 1, 0)]]
    minutes = (transactions.time_us - previous_us) / 60e6
    columns["minutes_since_previous"] = np.where(before > 0, minutes, _LONGEST_GAP_MIN)
    return columns


def _weeks(time_us: Ints) -> list[slice]:
    """Rows in steps of one label delay."""
    delay_us = LABEL_DELAY // timedelta(microseconds=1)
    ends = np.searchsorted(time_us, np.arange(time_us[0] + delay_us, time_us[-1] + delay_us, delay_us))
    bounds = [0, *ends.tolist(), len(time_us)]
    return [slice(a, b) for a, b in pairwise(bounds) if b > a]
