"""What was found about a day: one verdict a rule and one overall, as they are stored and shown. JSON, both ways."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Literal

import msgspec

__all__ = ["DriftVerdict", "Method", "Outcome", "RuleVerdict", "decode", "encode", "worst"]

Method = Literal["psi", "chisquare", "ks", "share"]


class Outcome(StrEnum):
    """Four, because 'not drift' is not 'fine': no data is inconclusive, and broken data is nothing to learn from."""

    PASS = "pass"
    DRIFT = "drift"
    INCONCLUSIVE = "inconclusive"
    DATA_FAULT = "data_fault"


_WORST_FIRST = (Outcome.DATA_FAULT, Outcome.DRIFT, Outcome.INCONCLUSIVE, Outcome.PASS)


class RuleVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One rule on one window: the contract's number, what the guard made of it, and the outcome of both."""

    check: str
    """Name of the asset check, e.g. `psi_transaction_amount`."""
    feature: str | None
    """None for `drifted_share` and `prediction_drift`."""
    method: Method
    value: float | None
    """PSI in nats, a p-value, or a share 0..1; None where it could not be computed."""
    threshold: float
    contract: Outcome
    """What the bare threshold says, in Evidently's own arithmetic."""
    guard: bool | None = None
    """Whether the difference stands clear of sampling noise; None where that was not asked or cannot be told."""
    effect: float | None = None
    """Size of the difference on the scale of PSI; of `drifted_share`, the share that the guard confirms."""
    noise_floor: float | None = None
    """The effect that sampling noise alone stays below in 99 of 100 windows of this size."""
    outcome: Outcome
    reason: str


class DriftVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One day judged: the trailing window that ends with it against a reference."""

    model: str
    day: date
    window_start: date
    """First day of the window."""
    window_end: date
    """Last day of the window: `day` itself."""
    fingerprint: str
    """Of what the window held when it was read; another one now means that this verdict is stale."""
    champion: str | None
    """The version whose reference was used."""
    hypothetical: bool
    """The reference is the one that a model of that day would have had: no model was champion then."""
    reference: str
    """The reference in words."""
    rows: int
    reference_rows: int
    rules: tuple[RuleVerdict, ...]
    """One a declared check, in the order of `check_names`."""
    others: tuple[RuleVerdict, ...] = ()
    """The features without a rule of their own, which count in `drifted_share` only."""
    outcome: Outcome
    reason: str
    evaluated_at: datetime


def worst(outcomes: list[Outcome]) -> Outcome:
    """The outcome that decides: data fault over drift (never learn from broken data) over inconclusive over pass.

    >>> str(worst([Outcome.PASS, Outcome.DRIFT, Outcome.INCONCLUSIVE]))
    'drift'
    """
    return next((o for o in _WORST_FIRST if o in outcomes), Outcome.INCONCLUSIVE)


def encode(verdict: DriftVerdict) -> bytes:
    """JSON, the same bytes for the same verdict."""
    return msgspec.json.encode(verdict)


def decode(body: bytes) -> DriftVerdict:
    """The verdict that `encode` wrote; msgspec.ValidationError names the field that does not fit."""
    return msgspec.json.decode(body, type=DriftVerdict)
