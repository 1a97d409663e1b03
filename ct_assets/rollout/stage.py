"""Steers one stage: enter it, look every second, and leave it passed or rolled back.

Killed at any point and run again, it goes on where it was: what is passed stays passed, the bake time and
the evidence of a stage left in the middle stand in the route.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from ct_assets.rollout.context import RolloutContext, evidence_of
from ct_assets.rollout.hold import Hold
from ct_assets.rollout.look import look
from ct_assets.rollout.plan import Action, Cause, Observation, RolloutDecision, may_enter, observe
from ct_assets.rollout.state import Phase, RouteState, StepRecord
from ct_assets.rollout.transitions import entered, failed, passed

__all__ = ["StageResult", "run_stage"]


@dataclass(frozen=True, slots=True)
class StageResult:
    """How a stage ended; `record` is None where the stage never began."""

    ok: bool
    reason: str
    evidence: dict[str, Any]
    record: StepRecord | None = None


def run_stage(stage: str, ctx: RolloutContext) -> StageResult:
    """Brings the rollout through `stage` (a name of `plan.stages`); returns when it is passed or undone.

    A verdict against the challenger has moved all traffic back to the champion before this returns; the
    rollback op then clears the alias.

    Raises:
        Superseded: another run steers by now.
        RouterError: the route cannot be read or written.
    """
    hold = Hold(ctx)
    done = _settled(stage, hold.state)
    if done is not None:
        return done
    if hold.state.all_passed or stage != hold.state.stage.name:
        return _out_of_order(stage, hold, ctx)
    state, cause = hold.state, None
    while True:
        state, observation = look(ctx, state, hold.routed)
        now = ctx.now()
        state, decision = _decide(state, observation, ctx, now)
        if decision.action is Action.ADVANCE or decision.action is Action.ROLLBACK:
            return _leave(state, decision, hold, ctx, now)
        if decision.action is Action.ENTER:
            state = entered(state, now)
            hold.write(state)
        elif state.taken is not None and hold.state.taken is None:
            state = replace(state, beat=now)
            hold.write(state)  # the bake time must survive a crash from its first second on
        if decision.cause is not cause:
            cause = decision.cause
            ctx.say(decision.action.value, decision.reason, evidence_of(state, now, decision))
        ctx.sleep(ctx.poll_s)
        state = hold.beat(state)


def _decide(
    state: RouteState, observation: Observation, ctx: RolloutContext, now: float
) -> tuple[RouteState, RolloutDecision]:
    if not state.entered:
        return state, may_enter(state, observation, ctx.spec, now)
    if state.taken is None and observation.taken:
        state = replace(state, taken=now)
    return state, observe(state, observation, ctx.spec, now)


def _leave(
    state: RouteState, decision: RolloutDecision, hold: Hold, ctx: RolloutContext, now: float
) -> StageResult:
    ok = decision.action is Action.ADVANCE
    ended = (passed if ok else failed)(state, decision, ctx.spec.error_rate_limit, now)
    hold.write(ended)
    record = ended.history[-1] if len(ended.history) > len(state.history) else None
    evidence = evidence_of(ended, now, record or decision)
    ctx.say(decision.action.value, decision.reason, evidence)
    return StageResult(ok, decision.reason, evidence, record)


def _settled(stage: str, state: RouteState) -> StageResult | None:
    """The result of a stage that needs no run; None: run it."""
    record = next((r for r in state.history if r.stage == stage), None)
    if state.phase.undone:
        return StageResult(False, state.reason, evidence_of(state, state.since), record)
    if record is not None:
        return StageResult(True, record.reason, evidence_of(state, record.ended, record), record)
    if state.phase is not Phase.STAGE or not state.plan:
        return StageResult(
            True, f"{stage}: nothing to compare with or nothing left to do ({state.phase.value})", {}
        )
    return None


def _out_of_order(stage: str, hold: Hold, ctx: RolloutContext) -> StageResult:
    """The YAML changed under an open rollout: its plan has no such stage, or another one comes first."""
    state, now = hold.state, ctx.now()
    planned = ", ".join(s.name for s in state.plan)
    reason = f"stage {stage} was asked for, the plan is {planned} with {len(state.history)} passed: the spec changed during the rollout"
    return _leave(state, RolloutDecision(Action.ROLLBACK, Cause.PLAN_CHANGED, reason), hold, ctx, now)
