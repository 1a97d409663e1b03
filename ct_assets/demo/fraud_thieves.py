"""Which terminals and customers are in thieves' hands on which day, and how a terminal's declines show it.

The Fraud Detection Handbook's compromises: so many new terminals a day for 28 days, so many new customers
for 14. They begin one whole spell before the first day, so the process is stationary from the first day on:
a drift monitor that alarms on it is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

import numpy as np

from ct_assets.demo.fraud_population import Bools, Floats, Population, Stream, stream

TERMINAL_SPELL_DAYS = 28
CUSTOMER_SPELL_DAYS = 14
_TERMINALS_COMPROMISED = 0.023  # share at any time
_CUSTOMERS_COMPROMISED = 0.036
_DECLINED = (1.2, 30.0)  # Beta: 4 % of the attempts at an ordinary terminal are declined
_DECLINED_COMPROMISED = (6.0, 6.0)  # Beta: half of them once its cards are copied


@dataclass(frozen=True, slots=True)
class Thieves:
    """Who is compromised; days count from the first day, `first_day` is negative when there is a warm-up."""

    first_day: int
    terminal: Bools
    """(days, terminals)"""
    customer: Bools
    """(days, customers)"""
    decline_rate: Floats
    """(days, terminals) share of the attempts at a terminal which were declined in the last 24 hours."""


def compromise(seed: int, population: Population, first_day: int, last_day: int) -> Thieves:
    """Play the compromises of the days `first_day`..`last_day` (both in)."""
    before = max(TERMINAL_SPELL_DAYS, CUSTOMER_SPELL_DAYS)
    streams = {day: stream(seed, Stream.COMPROMISE, day) for day in range(first_day - before, last_day + 1)}
    terminals_a_day = _TERMINALS_COMPROMISED / TERMINAL_SPELL_DAYS * population.terminals
    customers_a_day = _CUSTOMERS_COMPROMISED / CUSTOMER_SPELL_DAYS * population.customers
    terminal_starts = [
        _begin(rng, day, population.terminals, terminals_a_day) for day, rng in streams.items()
    ]
    customer_starts = [
        _begin(rng, day, population.customers, customers_a_day) for day, rng in streams.items()
    ]
    terminal = _within(np.array(terminal_starts), TERMINAL_SPELL_DAYS)[before:]
    customer = _within(np.array(customer_starts), CUSTOMER_SPELL_DAYS)[before:]
    declines = [
        np.where(held, rng.beta(*_DECLINED_COMPROMISED, held.size), rng.beta(*_DECLINED, held.size))
        for rng, held in zip(list(streams.values())[before:], terminal, strict=True)
    ]
    return Thieves(first_day, terminal, customer, np.array(declines))


def _begin(rng: np.random.Generator, day: int, members: int, a_day: float) -> Bools:
    """Who falls into a thief's hands on `day`: `a_day` members, whole numbers that add up over days."""
    starts = np.zeros(members, dtype=bool)
    starts[rng.choice(members, floor((day + 1) * a_day) - floor(day * a_day), replace=False)] = True
    return starts


def _within(starts: Bools, spell_days: int) -> Bools:
    """Whether a spell that began at most `spell_days` - 1 days ago holds."""
    begun = np.cumsum(starts, axis=0)
    earlier = np.zeros_like(begun)
    earlier[spell_days:] = begun[:-spell_days]
    return np.asarray(begun > earlier)
