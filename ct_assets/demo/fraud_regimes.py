"""What customers and thieves do before and after a drift: shares 0..1, amounts in euros, hours UTC.

A day follows one `Behaviour`; a regime only says which. Covariate drift moves what customers buy and pay
and leaves the fraud rule alone; concept drift adds a fraud that did not exist; a broken upstream changes
neither, it damages columns on their way in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Regime(StrEnum):
    """What holds from `drift_from` on."""

    NONE = "none"
    COVARIATE = "covariate"
    """Dearer baskets and another merchant mix; the probability of fraud given the features stays."""
    CONCEPT = "concept"
    """COVARIATE, and card testing: fraud where there was almost no traffic before."""
    BROKEN = "broken"
    """The traffic of NONE with two columns damaged on the way: a fault to repair, nothing to learn."""


@dataclass(frozen=True, slots=True)
class Category:
    """One everyday kind of merchant: its shares of the traffic and the size of its payments."""

    share: float
    drifted_share: float
    amount_factor: float
    """Mean payment, as a multiple of the customer's own mean."""
    online_share: float
    """Share of payments made without the card present."""


_EVERYDAY = {
    "grocery": Category(0.27, 0.17, 0.80, 0.05),
    "restaurant": Category(0.17, 0.11, 0.70, 0.05),
    "retail": Category(0.15, 0.14, 1.10, 0.35),
    "fuel": Category(0.13, 0.08, 1.00, 0.00),
    "health": Category(0.11, 0.09, 0.90, 0.10),
    "electronics": Category(0.06, 0.16, 1.60, 0.45),
    "travel": Category(0.05, 0.15, 1.80, 0.70),
    "digital_goods": Category(0.06, 0.10, 0.70, 1.00),
}
NEW_CATEGORY = "crypto_exchange"
NEW_CATEGORY_SHARE = 0.05

MERCHANTS = {**_EVERYDAY, NEW_CATEGORY: Category(0.0, 0.0, 1.2, 1.0)}
"""Every category that a terminal may have, in the order of its code."""
CATEGORIES: tuple[str, ...] = tuple(_EVERYDAY)
"""The categories that exist before `new_category_from`."""

CARD_TESTING_CATEGORY = "digital_goods"
CARD_TESTING_HOURS = (1, 5)
"""First hour in, first hour out: robots test stolen cards while their owners sleep."""
CARD_TESTING_AMOUNT_BELOW = 5.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a day's traffic is drawn from."""

    category_shares: tuple[float, ...]
    amount_factor: float = 1.0
    card_testing_share: float = 0.0
    """Share of the day's transactions that robots send to test stolen cards."""


_SHARES = tuple(c.share for c in _EVERYDAY.values())
_DRIFTED_SHARES = tuple(c.drifted_share for c in _EVERYDAY.values())
_ORDINARY = Behaviour(_SHARES)
_BEHAVIOURS = {
    Regime.NONE: _ORDINARY,
    Regime.COVARIATE: Behaviour(_DRIFTED_SHARES, amount_factor=1.6),
    Regime.CONCEPT: Behaviour(_DRIFTED_SHARES, amount_factor=1.6, card_testing_share=0.009),
    Regime.BROKEN: _ORDINARY,
}


def behaviour(regime: Regime) -> Behaviour:
    """The behaviour of customers and thieves on a day of `regime`."""
    return _BEHAVIOURS[regime]
