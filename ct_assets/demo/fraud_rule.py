"""The true probability, 0..1, that a transaction is fraud, given its published features and the regime.

A transaction can be defrauded in a few independent ways, the scenarios of the Fraud Detection Handbook
(chapter 3, "Fraud scenarios generation") made soft, each with the trace that an issuer would see; and,
under concept drift, by card testing. As labels are drawn from this very probability, no model can expect a
better AUC than it has: it is the ceiling that a demo states beside a model's figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ct_assets.demo.fraud_population import Bools, Floats
from ct_assets.demo.fraud_regimes import CARD_TESTING_AMOUNT_BELOW, CARD_TESTING_CATEGORY, CARD_TESTING_HOURS

RULE_FEATURES = (
    "transaction_amount",
    "merchant_category",
    "hour_of_day",
    "card_present",
    "amount_over_mean_30d",
    "device_age_days",
    "terminal_decline_rate_1d",
    "terminal_fraud_rate_30d",
)
"""The features that the probability depends on."""

# share of the payments of 100 euros and more: frauds without a trace keep the ceiling below 1
_UNTRACEABLE = 0.002
# below it thieves hardly bother, so that tiny payments look safe until cards are tested with them
_WORTH_EUROS = 12.0


def fraud_probability(features: Mapping[str, NDArray[Any]], card_testing: Bools) -> Floats:
    """Probability of fraud of each row.

    Parameters
    ----------
    features
        The columns `RULE_FEATURES`, each of shape (rows,), undamaged (no nulls).
    card_testing
        (rows,) whether the row's day knows card testing (concept drift).

    >>> x = {
    ...     "transaction_amount": np.array([30.0, 480.0, 2.0]), "merchant_category": np.repeat("digital_goods", 3),
    ...     "hour_of_day": np.array([3, 12, 3]), "card_present": np.zeros(3), "amount_over_mean_30d": np.ones(3),
    ...     "device_age_days": np.full(3, 300.0), "terminal_decline_rate_1d": np.full(3, 0.03),
    ...     "terminal_fraud_rate_30d": np.zeros(3),
    ... }
    >>> fraud_probability(x, np.zeros(3, dtype=bool)).round(2)
    array([0.  , 0.85, 0.  ])
    >>> fraud_probability(x, np.ones(3, dtype=bool)).round(2)
    array([0.  , 0.85, 0.97])
    """
    escapes = (
        (1 - _untraceable(features))
        * (1 - _large_payment(features))
        * (1 - _compromised_terminal(features))
        * (1 - _account_takeover(features))
        * (1 - np.where(card_testing, _card_testing(features), 0.0))
    )
    return np.asarray(1 - escapes, dtype=np.float64)


def _untraceable(x: Mapping[str, NDArray[Any]]) -> Floats:
    """Frauds like any other payment, but that thieves go for money."""
    return _UNTRACEABLE * np.minimum(x["transaction_amount"] / 100, 1.0)


def _large_payment(x: Mapping[str, NDArray[Any]]) -> Floats:
    """Handbook scenario 1: a payment above a limit (there 220; here softly 420, which no customer pays)."""
    return 0.85 * _sigmoid((x["transaction_amount"] - 420) / 4)


def _compromised_terminal(x: Mapping[str, NDArray[Any]]) -> Floats:
    """Scenario 2: a skimmed terminal has its cards declined at once, and its frauds labelled a week later.

    Known frauds alone do not raise the probability much: one fraud must not breed the next for ever.
    """
    known = np.minimum(x["terminal_fraud_rate_30d"], 0.5)
    worth_it = 1 - np.exp(-x["transaction_amount"] / _WORTH_EUROS)
    return 0.95 * worth_it * _sigmoid(28 * (x["terminal_decline_rate_1d"] - 0.33) + 5 * known)


def _account_takeover(x: Mapping[str, NDArray[Any]]) -> Floats:
    """Scenario 3: a customer pays online, from a new device, several times what he usually pays."""
    unusual = _sigmoid(5 * np.log(np.maximum(x["amount_over_mean_30d"], 1e-3) / 2.2))
    new_device = np.exp(-np.square(x["device_age_days"] / 2))
    return 0.97 * (1 - x["card_present"]) * unusual * new_device


def _card_testing(x: Mapping[str, NDArray[Any]]) -> Floats:
    """New under concept drift: robots try stolen cards for a few euros, online, at night, in one category."""
    first, last = CARD_TESTING_HOURS
    hour = x["hour_of_day"]
    night_online = (x["card_present"] == 0) & (hour >= first) & (hour < last)
    small = x["transaction_amount"] < CARD_TESTING_AMOUNT_BELOW
    return np.where(night_online & small & (x["merchant_category"] == CARD_TESTING_CATEGORY), 0.97, 0.0)


def _sigmoid(logit: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logit)), dtype=np.float64)
