"""Puts a candidate before the gate: scores it and the champion on the same holdout through their served graphs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import pyarrow as pa

from ct_assets.gate.decide import GateDecision, decide
from ct_assets.gate.scores import Scores
from ct_assets.lake.store import Lake
from ct_assets.lake.window import labelled
from ct_assets.registry import Registry, Version
from ct_assets.spec import ModelSpec
from ct_assets.training.score import score
from ct_assets.training.window import TrainingWindow

__all__ = ["Applied", "apply_decision", "evaluate"]


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a decision."""

    action: Literal["promote", "reject", "hold"]
    """promote: it is challenger now; hold: it passed the rules, and no alias moved."""
    reason: str


def evaluate(
    spec: ModelSpec,
    *,
    lake: Lake,
    registry: Registry,
    version: str,
    as_of: date,
    backfill: bool,
    work_dir: Path,
) -> GateDecision:
    """The gate's decision on `version`; nothing is changed by it.

    The holdout is the newest mature days as of `as_of`, read anew from the lake: rows that the candidate never
    saw, and later than anything that the champion was trained on.
    """
    window = TrainingWindow.of(spec, as_of)
    holdout = labelled(lake, spec, first=window.holdout_start, last=window.holdout_end, as_of=as_of)
    candidate = registry.get(version)
    champion = registry.by_alias("champion")
    if champion is not None and champion.version == version:
        champion = None  # judged again after its own promotion: only the absolute rules apply
    return decide(
        spec.gate,
        candidate=_scores(registry, candidate, holdout, work_dir),
        champion=None if champion is None else _scores(registry, champion, holdout, work_dir),
        parity=float(candidate.tags.get("ct.parity", "nan")),
        candidate_as_of=as_of,
        champion_as_of=None if champion is None else champion.as_of,
        backfill=backfill,
    )


def apply_decision(
    registry: Registry, version: str, decision: GateDecision, *, rolling_out: str | None = None
) -> Applied:
    """Tags the version with the verdict and its reason; a promotion puts alias `challenger` on it.

    A rollout that is open keeps its challenger: to take the alias from it would roll it back half way, at the
    cost of all that it has seen. The newer version is judged again when that has ended, since its comparison
    was with a champion that may be another one by then.

    Args:
        rolling_out: version of the rollout that is open now, if any.
    """
    applied = _outcome(registry, version, decision, rolling_out)
    passed = all(rule.passed for rule in decision.rules)
    registry.tag(version, **{"ct.gate": "passed" if passed else "rejected", "ct.gate_reason": applied.reason})
    if applied.action == "promote":
        registry.set_alias("challenger", version)
    return applied


def _outcome(registry: Registry, version: str, decision: GateDecision, rolling_out: str | None) -> Applied:
    if not decision.promote:
        passed = all(rule.passed for rule in decision.rules)  # and still no promotion: a backfill
        return Applied("hold" if passed else "reject", decision.reason)
    champion = registry.by_alias("champion")
    if champion is not None and champion.version == version:
        return Applied("hold", f"{decision.reason}; version {version} is champion already")
    if rolling_out not in (None, version):
        return Applied(
            "hold",
            f"{decision.reason}; but the rollout of version {rolling_out} is open and keeps alias challenger: "
            f"materialize the evaluation of version {version}'s as-of day again when that has ended",
        )
    return Applied("promote", decision.reason)


def _scores(registry: Registry, version: Version, holdout: pa.Table, work_dir: Path) -> Scores:
    predictions = score(registry.download(version.version, work_dir), holdout)
    labels = holdout["label"].to_numpy()
    return Scores(version.version, labels, predictions, rows=holdout["request_id"].to_numpy())
