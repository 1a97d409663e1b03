"""Whether a candidate may become challenger: four rules, every one shown, all of them to be passed.

    auc_threshold         its AUC on the holdout reaches `gate.threshold`
    better_than_champion  its AUC beats the champion's on the same rows by more than `gate.margin`
    onnx_parity           the graph that would be served is the model that was trained, within `gate.parity_atol`
    newer_than_champion   its as-of day is later than the champion's, so a backfill of the past never moves a pointer back

The difference is shown with DeLong's interval; the rule itself reads the point estimate, which is the contract.
A number that cannot be computed (one class in the holdout, a score that is no number) fails its rule as
inconclusive and is never replaced by another number.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from ct_assets.gate.auc import roc_auc
from ct_assets.gate.delong import PairedDifference, auc_difference
from ct_assets.gate.scores import Scores
from ct_assets.spec import GateSpec

__all__ = ["GateDecision", "RuleResult", "Scores", "decide"]


@dataclass(frozen=True)
class RuleResult:
    """One rule: `value` is None where it could not be computed (then it is `inconclusive` and not passed) or is no number."""

    check: str
    passed: bool
    value: float | None
    threshold: float | None
    detail: str
    inconclusive: bool = False


@dataclass(frozen=True)
class GateDecision:
    """`promote` means: set the alias challenger. `reason` is one sentence with the numbers behind it."""

    promote: bool
    reason: str
    rules: tuple[RuleResult, ...]
    evidence: dict[str, Any] = field(default_factory=dict)
    """Plain numbers and text, ready for the ledger."""


def decide(
    spec: GateSpec,
    *,
    candidate: Scores,
    champion: Scores | None,
    parity: float,
    candidate_as_of: date,
    champion_as_of: date | None,
    backfill: bool = False,
) -> GateDecision:
    """Judges `candidate`; `champion` is None before the first one, and was scored on the same rows otherwise.

    `parity`: largest difference of graph and native model on the holdout. `champion_as_of`: None where there is no
    champion, or where it carries no as-of day (then the rule is inconclusive). A `backfill` is judged, never promoted.
    """
    if champion is not None:
        candidate.require_same_rows(champion)
    auc = roc_auc(candidate.labels, candidate.predictions) if candidate.finite else None
    paired = _paired(candidate, champion)
    rules = (
        _auc_threshold(spec, candidate, auc),
        _better_than_champion(spec, candidate, champion, paired),
        _onnx_parity(spec, parity),
        _newer_than_champion(candidate_as_of, champion is not None, champion_as_of),
    )
    failed = [rule for rule in rules if not rule.passed]
    if failed:
        reason = "; ".join(f"{rule.check}: {rule.detail}" for rule in failed)
    elif backfill:
        reason = "passes every rule, but was trained by a backfill: history is judged and moves no alias"
    else:
        reason = f"{rules[0].detail}; {rules[1].detail}"
    evidence = {
        "holdout_rows": len(candidate.labels),
        "holdout_positives": candidate.positives,
        "candidate": candidate.version,
        "candidate_as_of": candidate_as_of.isoformat(),
        "candidate_auc": auc,
        "champion": champion.version if champion else None,
        "champion_as_of": champion_as_of.isoformat() if champion_as_of else None,
        "champion_auc": paired.champion if paired else None,
        "difference": asdict(paired.interval) if paired and paired.interval else None,
        "parity": parity if math.isfinite(parity) else str(parity),
        "backfill": backfill,
    }
    return GateDecision(not failed and not backfill, reason, rules, evidence)


def _auc_threshold(spec: GateSpec, candidate: Scores, auc: float | None) -> RuleResult:
    if auc is None:
        return RuleResult(
            "auc_threshold", False, None, spec.threshold, _why_no_auc(candidate), inconclusive=True
        )
    passed = auc >= spec.threshold
    relation = "reaches" if passed else "is below"
    return RuleResult(
        "auc_threshold",
        passed,
        auc,
        spec.threshold,
        f"AUC {_three(auc, spec.threshold)} {relation} {spec.threshold:g}",
    )


def _better_than_champion(
    spec: GateSpec, candidate: Scores, champion: Scores | None, paired: _Pair | None
) -> RuleResult:
    name = "better_than_champion"
    if champion is None:
        return RuleResult(name, True, None, spec.margin, "no champion yet")
    if paired is None:
        why = (
            _why_no_auc(candidate)
            if not candidate.finite or champion.finite
            else "a score of the champion is not a number"
        )
        return RuleResult(name, False, None, spec.margin, why, inconclusive=True)
    passed = paired.difference > spec.margin
    wanted = f"by more than {spec.margin:g}" if spec.margin else "at all"
    detail = f"{'beats' if passed else 'does not beat'} champion {champion.version} {wanted}: {paired.candidate:.4f} against {paired.champion:.4f}, difference {paired.difference:+.4f}"
    if paired.interval is not None:
        detail += (
            f" ({paired.interval.confidence:.0%} {paired.interval.low:+.4f} to {paired.interval.high:+.4f})"
        )
    return RuleResult(name, passed, paired.difference, spec.margin, detail)


def _onnx_parity(spec: GateSpec, parity: float) -> RuleResult:
    if math.isnan(parity):
        return RuleResult(
            "onnx_parity", False, None, spec.parity_atol, "parity was not measured", inconclusive=True
        )
    passed = parity <= spec.parity_atol
    detail = f"graph and native model differ by {parity:.1e}, {'within' if passed else 'more than'} {spec.parity_atol:g}"
    return RuleResult("onnx_parity", passed, parity, spec.parity_atol, detail)


def _newer_than_champion(as_of: date, exists: bool, champion_as_of: date | None) -> RuleResult:
    name = "newer_than_champion"
    if not exists:
        return RuleResult(name, True, None, None, "no champion yet")
    if champion_as_of is None:
        return RuleResult(
            name,
            False,
            None,
            0.0,
            "the champion carries no as-of day (tag ct.as_of): nobody can say which is newer",
            inconclusive=True,
        )
    days = (as_of - champion_as_of).days
    detail = (
        f"as of {as_of}, {'newer than' if days > 0 else 'not newer than'} the champion's {champion_as_of}"
    )
    return RuleResult(name, days > 0, float(days), 0.0, detail)


@dataclass(frozen=True)
class _Pair:
    """Both AUCs; the interval may be missing where the difference is not (a class with a single row)."""

    candidate: float
    champion: float
    interval: PairedDifference | None

    @property
    def difference(self) -> float:
        return self.candidate - self.champion


def _paired(candidate: Scores, champion: Scores | None) -> _Pair | None:
    if champion is None or not (candidate.finite and champion.finite):
        return None
    own, theirs = (roc_auc(s.labels, s.predictions) for s in (candidate, champion))
    if own is None or theirs is None:
        return None
    return _Pair(own, theirs, auc_difference(candidate.labels, candidate.predictions, champion.predictions))


def _why_no_auc(scores: Scores) -> str:
    if not scores.finite:
        return "a score of the candidate is not a number"
    negatives = len(scores.labels) - scores.positives
    return f"AUC cannot be computed: the holdout has {scores.positives:,} positive and {negatives:,} negative rows"


def _three(value: float, threshold: float) -> str:
    """Three decimals, or as many as it takes to stay on its side of the threshold when read."""
    return next(
        (text for k in range(3, 9) if (float(text := f"{value:.{k}f}") >= threshold) == (value >= threshold)),
        repr(value),
    )
