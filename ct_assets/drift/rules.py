"""One rule on one pair of columns: the contract's number first, then whether the guard agrees with its alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ct_assets.drift.chisquare import chisquare_p
from ct_assets.drift.columns import Column
from ct_assets.drift.guard import Homogeneity
from ct_assets.drift.ks import ks_p
from ct_assets.drift.psi import psi
from ct_assets.drift.verdict import Outcome, RuleVerdict

__all__ = ["Rule", "judge_rule", "unjudged"]

_CONTRACTS = {"psi": psi, "chisquare": chisquare_p, "ks": ks_p}


@dataclass(frozen=True, slots=True)
class Rule:
    """What is asked of a column."""

    check: str
    feature: str | None
    method: Literal["psi", "chisquare", "ks"]
    threshold: float

    def alarms(self, value: float) -> bool:
        """As Evidently has it: PSI at the threshold or above, KS at it or below, chi-square below it."""
        match self.method:
            case "psi":
                return value >= self.threshold
            case "ks":
                return value <= self.threshold
            case "chisquare":
                return value < self.threshold

    def said(self, value: float) -> str:
        """The contract's finding in words, e.g. `PSI 0.41 reaches 0.2`."""
        if self.method == "psi":
            return f"PSI {value:.3g} {'reaches' if self.alarms(value) else 'is below'} {self.threshold:g}"
        return f"p = {value:.3g} {'undercuts' if self.alarms(value) else 'stays above'} {self.threshold:g}"


def judge_rule(
    rule: Rule,
    reference: Column,
    current: Column,
    found: Homogeneity | None,
    *,
    guard: bool,
    significant: bool,
) -> RuleVerdict:
    """The verdict of `rule` on two columns, neither empty.

    Args:
        found: how unlike the columns are; None where they hold too few values to tell.
        guard: whether the guard has a say; its numbers are shown in any case.
        significant: whether the p-value of `found` holds among those of all columns.
    """
    try:
        value = _CONTRACTS[rule.method](reference, current)
    except ValueError as error:  # e.g. numbers so close together that no bin edges fit between them
        return unjudged(
            rule, Outcome.INCONCLUSIVE, f"{rule.method} of '{reference.name}' cannot be computed: {error}"
        )
    alarm = rule.alarms(value)
    agrees = found is not None and found.stands_clear and significant
    dropped = f"; {current.infinities:,} infinite values dropped" if current.infinities else ""
    return RuleVerdict(
        check=rule.check,
        feature=rule.feature,
        method=rule.method,
        value=value,
        threshold=rule.threshold,
        contract=Outcome.DRIFT if alarm else Outcome.PASS,
        guard=agrees if guard and found is not None else None,
        effect=found.effect if found else None,
        noise_floor=found.noise_floor if found else None,
        outcome=_outcome(alarm, agrees, found, guard),
        reason=rule.said(value) + (_second_opinion(alarm, agrees, found) if guard else "") + dropped,
    )


def unjudged(rule: Rule, outcome: Outcome, reason: str) -> RuleVerdict:
    """The verdict of a rule that no number was computed for."""
    return RuleVerdict(
        check=rule.check,
        feature=rule.feature,
        method=rule.method,
        value=None,
        threshold=rule.threshold,
        contract=outcome,
        outcome=outcome,
        reason=reason,
    )


def _outcome(alarm: bool, agrees: bool, found: Homogeneity | None, guard: bool) -> Outcome:
    if not alarm:
        return Outcome.PASS
    if not guard or agrees:
        return Outcome.DRIFT
    return Outcome.INCONCLUSIVE if found is None else Outcome.PASS


def _second_opinion(alarm: bool, agrees: bool, found: Homogeneity | None) -> str:
    if found is None:
        return ", and there are too few values to tell it from noise" if alarm else ""
    effect = f"the effect {found.effect:.3g}"
    noise = f"the noise floor {found.noise_floor:.3g}"
    if alarm and agrees:
        return f", and {effect} stands clear of {noise}"
    if alarm and found.stands_clear:
        return f", but p = {found.p_value:.2g} is not significant among all columns"
    if alarm:
        return f", but {effect} does not stand clear of {noise}"
    # equal-width bins blinded by an outlier, or a threshold set high: worth a look, and no alarm of the contract's
    return f", though {effect} stands clear of {noise}" if agrees else ""
