"""Who pays whom: customers and terminals of a square country, and the random streams of each day (km, euros).

Sizes and spreads are the Fraud Detection Handbook's (Le Borgne et al., 2022, chapter 3): 5,000 customers
and 10,000 terminals on 100 km x 100 km make about 9,600 transactions a day. Less traffic is a smaller
country of the same density, so that each customer has as many shops within reach and each shop as many
customers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ct_assets.demo.fraud_regimes import MERCHANTS

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

_TX_PER_CUSTOMER_DAY = 9_600 / 5_000
_TERMINALS_PER_CUSTOMER = 2
_SIDE_KM, _FULL_TERMINALS = 100.0, 10_000
# the nearest ten of eight categories: the Handbook's radius of 5 reaches 79 terminals
_SHOPS_PER_CATEGORY = 10
_NEW_CATEGORY_TERMINAL_SHARE = 0.02


class Stream(IntEnum):
    """Independent random streams: what one scenario draws leaves the draws of the others as they were."""

    POPULATION = 0
    TRAFFIC = 1
    COMPROMISE = 2
    CARD_TESTING = 3
    NEW_CATEGORY = 4
    FAULT = 5


def stream(seed: int, which: Stream, day: int = 0) -> np.random.Generator:
    """The generator of one stream on one day (counted from the first day; warm-up days are negative)."""
    return np.random.default_rng([seed, int(which), day + 100_000])


@dataclass(frozen=True, slots=True)
class Population:
    """Customers (rows 0..customers-1) and terminals, sorted by category code."""

    customer_weight: Floats
    """(customers,) probability that a transaction is this customer's; sums to 1."""
    customer_mean: Floats
    """(customers,) mean payment, euros."""
    home_km: Floats
    """(customers, 2)"""
    terminal_km: Floats
    """(terminals, 2)"""
    terminal_category: Ints
    """(terminals,) code of the category."""
    first_of_category: Ints
    """(categories + 1,) terminals of category k are first_of_category[k] .. first_of_category[k + 1] - 1."""
    nearest: Ints
    """(customers, categories, 10) the terminals of each category nearest to each home."""

    @property
    def customers(self) -> int:
        return len(self.customer_mean)

    @property
    def terminals(self) -> int:
        return len(self.terminal_category)


def populate(seed: int, tx_per_day: int) -> Population:
    """The people and shops behind `tx_per_day` transactions a day, the same in every scenario of a seed."""
    rng = stream(seed, Stream.POPULATION)
    customers = max(20, round(tx_per_day / _TX_PER_CUSTOMER_DAY))
    expected_terminals = customers * _TERMINALS_PER_CUSTOMER
    side_km = _SIDE_KM * (expected_terminals / _FULL_TERMINALS) ** 0.5
    shares = [merchant.share or _NEW_CATEGORY_TERMINAL_SHARE for merchant in MERCHANTS.values()]
    sizes = [max(_SHOPS_PER_CATEGORY, round(share * expected_terminals)) for share in shares]
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    rate = rng.uniform(0, 4, customers)
    mean = rng.uniform(10, 100, customers)
    home_km = rng.uniform(0, side_km, (customers, 2))
    terminal_km = rng.uniform(0, side_km, (int(first[-1]), 2))
    nearest = [_nearest(home_km, terminal_km[a:b]) + a for a, b in pairwise(first.tolist())]
    return Population(
        customer_weight=rate / rate.sum(),
        customer_mean=mean,
        home_km=home_km,
        terminal_km=terminal_km,
        terminal_category=np.repeat(np.arange(len(sizes), dtype=np.int64), sizes),
        first_of_category=first,
        nearest=np.stack(nearest, axis=1),
    )


def _nearest(home_km: Floats, terminal_km: Floats) -> Ints:
    squared = np.zeros((len(home_km), len(terminal_km)), dtype=np.float32)
    for axis in (0, 1):
        squared += (home_km[:, axis, None] - terminal_km[None, :, axis]).astype(np.float32) ** 2
    return np.argpartition(squared, _SHOPS_PER_CATEGORY - 1, axis=1)[:, :_SHOPS_PER_CATEGORY].astype(np.int64)
