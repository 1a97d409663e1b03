"""Decides what a rollout does next: stay, enter a stage, advance, or roll back. Pure.

A stage passes when the router has had its weights for `bake_s`, the challenger has answered enough
requests at it, the observed failure rate is within the limit, and the challenger still serves its version.
The challenger alone is judged, never both variants pooled. It is rolled back

- as soon as an e-process proves its rate over the limit (`analysis.py`), at any look, in any stage;
- when its endpoints serve another version, or somebody moved an alias under the rollout;
- when a stage is still inconclusive after `deadline_s`. Until then, no data, no router or a rate over the
  limit that may be chance hold the weight: they are neither pass nor fail.

One case waits although the e-process speaks: the champion is over the limit too and the challenger is not
worse. That is an outage of something both need, and no verdict on the challenger (at most until the deadline).
Times are epoch seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ct_assets.rollout.analysis import ALPHA, log_e, log_threshold, upper_rate
from ct_assets.rollout.state import Count, Phase, RouteState, Stage
from ct_assets.spec import RolloutSpec

__all__ = ["Action", "Cause", "Observation", "RolloutDecision", "may_enter", "observe", "stages"]


class Action(StrEnum):
    STAY = "stay"
    ENTER = "enter"
    ADVANCE = "advance"
    ROLLBACK = "rollback"


class Cause(StrEnum):
    """The rule that decided; a reason's words carry numbers that change at every look, a cause does not."""

    PASSED = "passed"
    READY = "ready"
    NOT_READY = "not_ready"
    NO_METRICS = "no_metrics"
    NO_REGISTRY = "no_registry"
    NOT_TAKEN = "not_taken"
    BAKING = "baking"
    FEW_REQUESTS = "few_requests"
    MAYBE_OVER_LIMIT = "maybe_over_limit"
    COMMON_MODE = "common_mode"
    OVER_LIMIT = "over_limit"
    OTHER_VERSION = "other_version"
    ALIAS_MOVED = "alias_moved"
    PLAN_CHANGED = "plan_changed"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the world. The evidence itself is already counted into the state."""

    metrics: bool
    """Whether the router's counters could be read at this look."""
    taken: bool
    """Whether the router has the weights that the state says."""
    serving: str | None
    """Version that all challenger endpoints report; None: one of them reports nothing."""
    moved: str | None = ""
    """What somebody changed in the registry under this rollout; empty: nothing; None: it cannot be read."""


@dataclass(frozen=True, slots=True)
class RolloutDecision:
    """What to do, by which rule, in words, with the numbers."""

    action: Action
    cause: Cause
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)


def stages(rollout: RolloutSpec) -> tuple[Stage, ...]:
    """The stages of a rollout in order.

    >>> [stage.name for stage in stages(RolloutSpec())]
    ['shadow', 'canary_10', 'canary_50', 'canary_100']
    """
    canary = tuple(Stage(f"canary_{weight}", weight) for weight in rollout.steps)
    if rollout.shadow.requests == 0:
        return canary
    return (Stage("shadow", 0, rollout.shadow.percent), *canary)


def may_enter(
    state: RouteState, observation: Observation, rollout: RolloutSpec, now: float
) -> RolloutDecision:
    """Whether the next stage may begin: no request goes to a challenger that does not serve its version yet."""
    _require_stage_phase(state)
    name = state.stage.name
    if observation.moved:
        return RolloutDecision(Action.ROLLBACK, Cause.ALIAS_MOVED, observation.moved)
    if observation.moved is None:
        held = RolloutDecision(Action.STAY, Cause.NO_REGISTRY, f"the registry cannot be read: {name} waits")
        return _stay(state, held, rollout, now)
    if observation.serving == state.challenger:
        return RolloutDecision(
            Action.ENTER, Cause.READY, f"challenger v{state.challenger} serves: {name} begins"
        )
    seen = f"v{observation.serving}" if observation.serving else "no version"
    reason = f"challenger endpoints report {seen}, not v{state.challenger}: {name} waits"
    return _stay(state, RolloutDecision(Action.STAY, Cause.NOT_READY, reason), rollout, now)


def observe(state: RouteState, observation: Observation, rollout: RolloutSpec, now: float) -> RolloutDecision:
    """What to do at the stage entered.

    Raises:
        ValueError: when no stage is entered.
    """
    _require_stage_phase(state)
    if not state.entered:
        raise ValueError(
            f"rollout {state.rollout}: no stage is entered, the last one was {state.passed[-1:] or 'none'}"
        )
    over = _over_limit(state, rollout)
    if over is not None and over.action is Action.ROLLBACK:
        return over
    if observation.moved:
        return RolloutDecision(
            Action.ROLLBACK, Cause.ALIAS_MOVED, observation.moved, _evidence(state, rollout)
        )
    if observation.serving not in (None, state.challenger):
        reason = f"challenger endpoints serve v{observation.serving}, not v{state.challenger}: what is measured is another model"
        return RolloutDecision(Action.ROLLBACK, Cause.OTHER_VERSION, reason, _evidence(state, rollout))
    held = over or _held(state, observation, rollout, now)
    if held is not None:
        return _stay(state, held, rollout, now)
    count = state.judged
    reason = (
        f"{state.stage.name}: {count.k} of {count.n} requests failed "
        f"({_percent(count)}, limit {rollout.error_rate_limit:.2%}) in {now - state.since:.0f} s"
    )
    return RolloutDecision(Action.ADVANCE, Cause.PASSED, reason, _evidence(state, rollout))


def _over_limit(state: RouteState, rollout: RolloutSpec) -> RolloutDecision | None:
    """A proven excess: rollback, or a hold where the champion fails as well."""
    count, champion, limit = state.judged, state.seen.champion.sane, rollout.error_rate_limit
    bar = log_threshold(ALPHA / len(state.plan))
    value = log_e(count.n, count.k, limit)
    if value < bar:
        return None
    said = (
        f"{state.stage.name}: {count.k} of {count.n} requests failed ({_percent(count)}, limit {limit:.2%})"
    )
    bound = upper_rate(champion.n, champion.k)
    common = log_e(champion.n, champion.k, limit) >= bar and (
        bound >= 1 or log_e(count.n, count.k, bound) < bar
    )
    if common:
        reason = f"{said}, but the champion fails too ({_percent(champion)}): an outage of both, no verdict on the challenger"
        return RolloutDecision(Action.STAY, Cause.COMMON_MODE, reason, _evidence(state, rollout))
    reason = f"{said}; log e-value {value:.1f} >= {bar:.1f}"
    return RolloutDecision(Action.ROLLBACK, Cause.OVER_LIMIT, reason, _evidence(state, rollout))


def _held(
    state: RouteState, observation: Observation, rollout: RolloutSpec, now: float
) -> RolloutDecision | None:
    """The first thing that a stage still lacks; None: nothing."""
    stage, count = state.stage, state.judged
    bake_s = (
        0.0 if stage.shadow else rollout.bake_s
    )  # a shadow harms nobody: its count of requests is its length
    needed = rollout.shadow.requests if stage.shadow else rollout.min_requests
    baked_s = 0.0 if state.taken is None else now - state.taken
    rules = (
        (observation.moved is None, Cause.NO_REGISTRY, "the registry cannot be read"),
        (not observation.metrics, Cause.NO_METRICS, "the router's counters cannot be read"),
        (
            not observation.taken or state.taken is None,
            Cause.NOT_TAKEN,
            f"the router has not taken weight {state.weight} %",
        ),
        (observation.serving is None, Cause.NOT_READY, "a challenger endpoint is not ready"),
        (baked_s < bake_s, Cause.BAKING, f"{baked_s:.0f} of {bake_s:.0f} s baked"),
        (count.n < needed, Cause.FEW_REQUESTS, f"{count.n} of {needed} requests seen"),
        (
            (count.rate or 0.0) > rollout.error_rate_limit,
            Cause.MAYBE_OVER_LIMIT,
            f"{count.k} of {count.n} requests failed ({_percent(count)}, limit {rollout.error_rate_limit:.2%}), which may be chance",
        ),
    )
    for lacks, cause, words in rules:
        if lacks:
            return RolloutDecision(Action.STAY, cause, f"{stage.name}: {words}", _evidence(state, rollout))
    return None


def _stay(state: RouteState, held: RolloutDecision, rollout: RolloutSpec, now: float) -> RolloutDecision:
    """A hold, or the end of patience with it."""
    if now - state.since < rollout.deadline_s:
        return held
    reason = (
        f"inconclusive for {now - state.since:.0f} s (deadline_s {rollout.deadline_s:.0f}): {held.reason}"
    )
    return RolloutDecision(
        Action.ROLLBACK, Cause.DEADLINE, reason, held.evidence | {"held_by": held.cause.value}
    )


def _evidence(state: RouteState, rollout: RolloutSpec) -> dict[str, Any]:
    """The numbers of the present stage; a rate that nothing was seen of is None."""
    count, champion = state.judged, state.seen.champion.sane
    return {
        "stage": state.stage.name,
        "weight": state.weight,
        "requests": count.n,
        "failures": count.k,
        "rate": count.rate,
        "limit": rollout.error_rate_limit,
        "log_e": round(log_e(count.n, count.k, rollout.error_rate_limit), 3),
        "log_threshold": round(log_threshold(ALPHA / len(state.plan)), 3),
        "champion_requests": champion.n,
        "champion_failures": champion.k,
        "champion_rate": champion.rate,
    }


def _percent(count: Count) -> str:
    return "nothing seen" if count.rate is None else f"{count.rate:.2%}"


def _require_stage_phase(state: RouteState) -> None:
    if state.phase is not Phase.STAGE or state.all_passed:
        raise ValueError(
            f"rollout {state.rollout or '(none)'}: phase {state.phase.value}, no stage left to decide on"
        )
