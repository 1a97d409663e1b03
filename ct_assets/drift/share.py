"""`drifted_share`: how many of all features drifted. A feature that could not be judged is never counted as fine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ct_assets.drift.verdict import Outcome, RuleVerdict
from ct_assets.spec import DriftSpec

__all__ = ["DRIFTED_SHARE", "judge_share"]

DRIFTED_SHARE = "drifted_share"


def judge_share(
    drift: DriftSpec, verdicts: Mapping[str, Sequence[RuleVerdict]], ruled: Iterable[str]
) -> RuleVerdict:
    """The verdict on the share of drifted features.

    Args:
        verdicts: feature -> the verdicts of its rules, or of the default PSI.
        ruled: features with a rule, whose data faults are told by that rule's own check.
    """
    total, limit = len(verdicts), drift.max_drifted_share
    crossed = _features_with(verdicts, contract=Outcome.DRIFT)
    drifted = _features_with(verdicts, outcome=Outcome.DRIFT)
    open_ = [f for f in _features_with(verdicts, outcome=Outcome.INCONCLUSIVE) if f not in drifted]
    faulty = _features_with(verdicts, outcome=Outcome.DATA_FAULT)
    orphans = [f for f in faulty if f not in set(ruled)]

    share = len(drifted) / total
    reason = f"{len(drifted)} of {total} features drifted ({share:.0%}; the limit is {limit:.0%})" + _named(
        drifted
    )
    if orphans:
        outcome = Outcome.DATA_FAULT
        reason = "; ".join(verdicts[f][0].reason for f in orphans) + f"; {reason}"
    elif share >= limit:
        outcome = Outcome.DRIFT
    elif (len(drifted) + len(open_) + len(faulty)) / total >= limit:
        outcome = Outcome.INCONCLUSIVE
        reason += f", and {len(open_) + len(faulty)} could not be judged" + _named([*open_, *faulty])
    else:
        outcome = Outcome.PASS
    judged = total - len(open_) - len(faulty)
    bare = len(crossed) / total
    return RuleVerdict(
        check=DRIFTED_SHARE,
        feature=None,
        method="share",
        value=bare if judged else None,
        threshold=limit,
        contract=Outcome.DRIFT if bare >= limit else outcome,
        guard=share >= limit if drift.guard and judged else None,
        effect=share if drift.guard and judged else None,
        outcome=outcome,
        reason=reason,
    )


def _features_with(
    verdicts: Mapping[str, Sequence[RuleVerdict]],
    *,
    outcome: Outcome | None = None,
    contract: Outcome | None = None,
) -> list[str]:
    return [
        f
        for f, found in verdicts.items()
        if any(outcome in (None, v.outcome) and contract in (None, v.contract) for v in found)
    ]


def _named(features: list[str], most: int = 5) -> str:
    if not features:
        return ""
    more = f" and {len(features) - most} more" if len(features) > most else ""
    return f": {', '.join(features[:most])}{more}"
