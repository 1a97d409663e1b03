"""Judges one day: every rule of the contract on the trailing window, guarded against noise and broken data.

Pure: rows in, verdict out. A column is judged by itself, so a broken one costs its own rule and no other. The
contract's numbers equal Evidently's (psi.py, chisquare.py, ks.py); whether an alarm counts, the guard says (guard.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa

from ct_assets.drift.columns import Column, UnusableColumn, read_column
from ct_assets.drift.faults import find_fault
from ct_assets.drift.guard import Homogeneity, compare, significant
from ct_assets.drift.prediction import PREDICTION_DRIFT, judge_prediction
from ct_assets.drift.reference import Reference
from ct_assets.drift.rules import Rule, judge_rule, unjudged
from ct_assets.drift.share import DRIFTED_SHARE, judge_share
from ct_assets.drift.verdict import DriftVerdict, Outcome, RuleVerdict, worst
from ct_assets.spec import DriftSpec, ModelSpec

__all__ = ["check_names", "judge"]


def check_names(spec: ModelSpec) -> tuple[str, ...]:
    """The checks that every verdict of this model holds, in order."""
    prediction = (PREDICTION_DRIFT,) if spec.drift.prediction else ()
    return (*(rule.check for rule in spec.drift.rules), DRIFTED_SHARE, *prediction)


def judge(
    spec: ModelSpec,
    *,
    day: date,
    current: pa.Table,
    reference: Reference,
    fingerprint: str,
    evaluated_at: datetime,
) -> DriftVerdict:
    """The verdict of `day`.

    Args:
        current: the feature log of the trailing `window_days`, ending with `day`; live rows only, deduplicated.
        reference: what they are compared with.
        fingerprint: of the objects that `current` was read from.
        evaluated_at: now, aware UTC.
    """
    window = _Window(spec, current, reference)
    rules, others = window.judge()
    outcome = worst([rule.outcome for rule in rules])
    return DriftVerdict(
        model=spec.model,
        day=day,
        window_start=day - timedelta(days=spec.drift.window_days - 1),
        window_end=day,
        fingerprint=fingerprint,
        champion=reference.champion,
        hypothetical=reference.hypothetical,
        reference=reference.description,
        rows=current.num_rows,
        reference_rows=reference.features.num_rows,
        rules=rules,
        others=others,
        outcome=outcome,
        reason=_reason(outcome, rules),
        evaluated_at=evaluated_at,
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two columns that can be compared."""

    reference: Column
    current: Column
    found: Homogeneity | None


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """Why a column cannot be judged."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class _Window:
    spec: ModelSpec
    current: pa.Table
    reference: Reference

    def judge(self) -> tuple[tuple[RuleVerdict, ...], tuple[RuleVerdict, ...]]:
        """The declared checks in order, and the features that no rule names."""
        drift = self.spec.drift
        asked = _rules_by_feature(self.spec)
        pairs = {feature: self._pair(feature) for feature in self.spec.features}
        known = significant(
            {f: p.found.p_value for f, p in pairs.items() if isinstance(p, _Pair) and p.found}
        )
        verdicts = {
            feature: [_verdict(rule, pairs[feature], drift, feature in known) for rule in rules]
            for feature, rules in asked.items()
        }
        by_check = {verdict.check: verdict for found in verdicts.values() for verdict in found}
        ruled = {rule.feature for rule in drift.rules}
        own = [by_check[rule.check] for rule in drift.rules]
        others = tuple(found[0] for feature, found in verdicts.items() if feature not in ruled)
        return (*own, judge_share(drift, verdicts, ruled), *self._prediction()), others

    def _pair(self, feature: str) -> _Pair | _Obstacle:
        kind, least = self.spec.features[feature], self.spec.drift.min_rows
        if self.current.num_rows < least:
            return _Obstacle(
                Outcome.INCONCLUSIVE, f"the window holds {self.current.num_rows:,} rows; {least:,} are needed"
            )
        try:
            reference = self.reference.column(feature, kind)
        except UnusableColumn as broken:
            return _Obstacle(Outcome.INCONCLUSIVE, f"the reference cannot be used: {broken}")
        try:
            current = read_column(self.current, feature, kind)
        except UnusableColumn as broken:
            return _Obstacle(Outcome.DATA_FAULT, str(broken))
        if not len(reference):
            return _Obstacle(Outcome.INCONCLUSIVE, f"the reference holds no value of '{feature}'")
        if fault := find_fault(current, reference):
            return _Obstacle(Outcome.DATA_FAULT, fault)
        if len(current) < least:
            return _Obstacle(
                Outcome.INCONCLUSIVE,
                f"the window holds {len(current):,} values of '{feature}'; {least:,} are needed",
            )
        return _Pair(reference, current, compare(reference, current))

    def _prediction(self) -> tuple[RuleVerdict, ...]:
        rule = self.spec.drift.prediction
        return (
            (judge_prediction(self.spec.drift, rule.threshold, self.current, self.reference),) if rule else ()
        )


def _rules_by_feature(spec: ModelSpec) -> dict[str, list[Rule]]:
    """Every feature's rules; the default PSI for one without."""
    asked: dict[str, list[Rule]] = {feature: [] for feature in spec.features}
    for rule in spec.drift.rules:
        asked[rule.feature].append(Rule(rule.check, rule.feature, rule.method, rule.threshold))
    for feature, rules in asked.items():
        if not rules:
            rules.append(Rule(f"psi_{feature}", feature, "psi", spec.drift.default_psi))
    return asked


def _verdict(rule: Rule, pair: _Pair | _Obstacle, drift: DriftSpec, known: bool) -> RuleVerdict:
    if isinstance(pair, _Obstacle):
        return unjudged(rule, pair.outcome, pair.reason)
    return judge_rule(rule, pair.reference, pair.current, pair.found, guard=drift.guard, significant=known)


def _reason(outcome: Outcome, rules: tuple[RuleVerdict, ...]) -> str:
    """One sentence: what decided, and what to do where that is not obvious."""
    deciding = [rule for rule in rules if rule.outcome is outcome]
    said = "; ".join(f"{rule.check}: {rule.reason}" for rule in deciding)
    match outcome:
        case Outcome.PASS:
            return f"none of {len(rules)} checks drifted"
        case Outcome.DRIFT:
            return f"{len(deciding)} of {len(rules)} checks drifted: {said}"
        case Outcome.DATA_FAULT:
            return f"broken data, repair the source before anything is retrained: {said}"
        case Outcome.INCONCLUSIVE:
            told = list(dict.fromkeys(rule.reason for rule in deciding))
            return f"{len(deciding)} of {len(rules)} checks could not be judged, and none drifted: {'; '.join(told)}"
