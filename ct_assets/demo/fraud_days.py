"""One day's transactions as they happen, before any window is computed: who pays where, when, how much.

Each day is drawn from streams of its own, so a day is the same whatever is generated after it. Its number
of transactions is given: the Fraud Detection Handbook's independent Poisson counts, conditioned on their
sum. Category and hour are independent from row to row, so a day's counts vary as a multinomial sample does
and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from ct_assets.demo.fraud_population import Bools, Floats, Ints, Population, Stream, stream
from ct_assets.demo.fraud_regimes import (
    CARD_TESTING_AMOUNT_BELOW,
    CARD_TESTING_CATEGORY,
    CARD_TESTING_HOURS,
    MERCHANTS,
    NEW_CATEGORY,
    NEW_CATEGORY_SHARE,
    Behaviour,
)
from ct_assets.demo.fraud_thieves import Thieves

DAY_S = 86_400
DAY_US = DAY_S * 1_000_000
_ORDINARY_LIMIT, _CARD_LIMIT = 400.0, 500.0  # euros; bounded, so that equal-width bins keep their resolution
_LARGE_PAYMENTS = 0.009
# Handbook: a third of a compromised customer's payments, times five
_TAKEN_OVER, _TAKEN_OVER_FACTOR = 1 / 3, 5.0
_ABROAD = 0.03
_NEW_DEVICE = 0.015
_TESTED_TERMINALS = 3
_CODES = {name: code for code, name in enumerate(MERCHANTS)}
_AMOUNT_FACTOR = np.array([merchant.amount_factor for merchant in MERCHANTS.values()])
_ONLINE = np.array([merchant.online_share for merchant in MERCHANTS.values()])


@dataclass(frozen=True, slots=True)
class Transactions:
    """Columns of equal length, one row a transaction."""

    time_us: Ints
    """Microseconds since midnight UTC of the first day; negative in the warm-up."""
    customer: Ints
    terminal: Ints
    category: Ints
    """The code of the terminal's category."""
    cents: Ints
    card_present: Bools
    distance_km: Floats
    """From the customer's home to the terminal or, online, to the device."""
    device_age_days: Floats
    """Since the customer's device (online) or card was first seen."""
    decline_rate: Floats
    """Share of the attempts at the terminal that were declined in the last 24 hours."""
    luck: Floats
    """Uniform on 0..1: the transaction is fraud when its luck lies below its probability of fraud."""

    @classmethod
    def in_order(cls, days: list[Transactions]) -> Transactions:
        """All days together, sorted by time."""
        order = np.argsort(np.concatenate([day.time_us for day in days]), kind="stable")
        return cls(*(np.concatenate([getattr(day, f.name) for day in days])[order] for f in fields(cls)))


def draw_day(
    seed: int, day: int, size: int, population: Population, thieves: Thieves, behaviour: Behaviour
) -> Transactions:
    """The `size` transactions of a day, unsorted. Days count from the first day; the warm-up is negative."""
    rng = stream(seed, Stream.TRAFFIC, day)
    row = day - thieves.first_day
    customer = rng.choice(population.customers, size, p=population.customer_weight)
    category = np.searchsorted(np.cumsum(behaviour.category_shares)[:-1], rng.random(size), side="right")
    # Handbook: around noon, give or take 20,000 s; what falls off one end of the day comes in at the other
    second = np.mod(rng.normal(DAY_S / 2, 20_000, size), DAY_S)
    amount = rng.gamma(4.0, 0.25, size) * population.customer_mean[customer] * _AMOUNT_FACTOR[category]
    amount = np.minimum(amount * behaviour.amount_factor, _ORDINARY_LIMIT * rng.uniform(0.8, 1.0, size))

    # who took an account over pays online, from his own device, far away, and below the limit of the card
    taken_over = thieves.customer[row, customer] & (rng.random(size) < _TAKEN_OVER)
    card_limit = _CARD_LIMIT * rng.uniform(0.86, 1.0, size)
    amount = np.where(taken_over, np.minimum(amount * _TAKEN_OVER_FACTOR, card_limit), amount)
    amount = np.where(rng.random(size) < _LARGE_PAYMENTS, card_limit, amount)
    online = taken_over | (rng.random(size) < _ONLINE[category])
    new_device = taken_over | (rng.random(size) < _NEW_DEVICE)
    far = taken_over | (rng.random(size) < _ABROAD)

    terminal = np.where(
        online | far,
        _anywhere(rng, population, category),
        population.nearest[customer, category, rng.integers(population.nearest.shape[2], size=size)],
    )
    walk_km = np.linalg.norm(population.home_km[customer] - population.terminal_km[terminal], axis=1)
    device_km = np.where(far, rng.uniform(20, 220, size), rng.exponential(4.0, size))
    return Transactions(
        time_us=_time_us(day, second),
        customer=customer,
        terminal=terminal,
        category=category,
        cents=_cents(amount),
        card_present=~online,
        distance_km=np.where(online, device_km, walk_km),
        device_age_days=rng.exponential(np.where(new_device, 0.4, 300.0)),
        decline_rate=thieves.decline_rate[row, terminal],
        luck=rng.random(size),
    )


def with_new_category(
    transactions: Transactions, seed: int, day: int, population: Population, thieves: Thieves
) -> Transactions:
    """Some of the day's payments go online to merchants of a category that nobody used before."""
    rng = stream(seed, Stream.NEW_CATEGORY, day)
    size = len(transactions.time_us)
    moved = rng.random(size) < NEW_CATEGORY_SHARE
    shop = _anywhere(rng, population, np.full(size, _CODES[NEW_CATEGORY]))
    declines = thieves.decline_rate[day - thieves.first_day]
    return _moved_online(transactions, moved, shop, population, declines)


def with_card_testing(
    transactions: Transactions, seed: int, day: int, population: Population, thieves: Thieves, share: float
) -> Transactions:
    """Robots replace `share` of the day's payments: a few euros, at night, at three shops of that day."""
    rng = stream(seed, Stream.CARD_TESTING, day)
    size = len(transactions.time_us)
    tested = rng.random(size) < share
    shops = _anywhere(rng, population, np.full(_TESTED_TERMINALS, _CODES[CARD_TESTING_CATEGORY]))
    shop = shops[rng.integers(_TESTED_TERMINALS, size=size)]
    first_hour, last_hour = CARD_TESTING_HOURS
    second = rng.uniform(first_hour * 3600, last_hour * 3600, size)
    # the cents' rounding must not lift a test to the limit itself
    amount = rng.uniform(0.5, CARD_TESTING_AMOUNT_BELOW - 0.01, size)
    declines = thieves.decline_rate[day - thieves.first_day]
    moved = _moved_online(transactions, tested, shop, population, declines)
    return replace(
        moved,
        time_us=np.where(tested, _time_us(day, second), moved.time_us),
        cents=np.where(tested, _cents(amount), moved.cents),
    )


def _moved_online(
    transactions: Transactions, moved: Bools, shop: Ints, population: Population, decline_rate: Floats
) -> Transactions:
    terminal = np.where(moved, shop, transactions.terminal)
    return replace(
        transactions,
        terminal=terminal,
        category=population.terminal_category[terminal],
        card_present=transactions.card_present & ~moved,
        decline_rate=decline_rate[terminal],
    )


def _anywhere(rng: np.random.Generator, population: Population, category: Ints) -> Ints:
    first = population.first_of_category[category]
    size = population.first_of_category[category + 1] - first
    return first + np.floor(rng.random(len(category)) * size).astype(np.int64)


def _time_us(day: int, second: Floats) -> Ints:
    return day * DAY_US + np.floor(second * 1e6).astype(np.int64)


def _cents(amount: Floats) -> Ints:
    """Whole cents, at least one: running sums of integers are exact whatever else is summed."""
    return np.maximum(1, np.rint(amount * 100)).astype(np.int64)
