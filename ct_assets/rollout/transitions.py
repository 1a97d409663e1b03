"""Moves a rollout from one state to the next. Pure: nothing is read or written here.

    idle -> stage (entered, passed, entered, ...) -> promoting -> promoted
                 \\-> rolling_back -> rolled_back <-/ (a promotion that serving never followed)

Times are epoch seconds.
"""

from __future__ import annotations

from msgspec.structs import replace

from ct_assets.rollout.analysis import log_e
from ct_assets.rollout.plan import RolloutDecision
from ct_assets.rollout.state import Count, Counters, Phase, RouteState, Seen, Stage, StepRecord

__all__ = [
    "counted",
    "entered",
    "failed",
    "opened",
    "passed",
    "promoted",
    "promoting",
    "rolled_back",
    "rollout_id",
    "taken_by",
    "undoing",
    "with_champion",
]


def rollout_id(state: RouteState, challenger: str) -> str:
    """Id of the rollout of `challenger` that is open, or of the one that would be opened next."""
    if state.phase.open and state.challenger == challenger:
        return state.rollout
    return f"{state.sequence + 1}-v{challenger}"


def opened(
    state: RouteState, plan: tuple[Stage, ...], challenger: str, champion: str | None, owner: str, now: float
) -> RouteState:
    """A fresh rollout. Without a champion there is nothing to compare with: no steps."""
    return RouteState(
        sequence=state.sequence + 1,
        rollout=rollout_id(state, challenger),
        champion=champion,
        challenger=challenger,
        phase=Phase.STAGE,
        plan=plan if champion is not None else (),
        since=now,
        owner=owner,
        beat=now,
        attempts=1,
    )


def taken_by(state: RouteState, owner: str, now: float) -> RouteState:
    """The same rollout under another owner: stage, baselines and evidence stay."""
    return replace(state, owner=owner, beat=now, attempts=state.attempts + 1)


def entered(state: RouteState, now: float) -> RouteState:
    """The next stage begins. What was counted since the last one passed counts in this one."""
    stage = state.stage
    return replace(
        state,
        step=len(state.history),
        weight=stage.weight,
        mirror_percent=stage.mirror_percent,
        since=now,
        taken=None,
        beat=now,
    )


def counted(state: RouteState, counters: Counters) -> RouteState | None:
    """Adds what the counters grew by since `mark`; None where this reading cannot be trusted.

    A new epoch (the router restarted) begins at zero: all of it is new, and what was counted before stays.
    Counters that shrank within an epoch were read across a restart: the next reading will tell.
    """
    if state.mark is None:
        return replace(state, mark=counters)
    base = state.mark if state.mark.epoch == counters.epoch else Counters(counters.epoch)
    grown = Seen(
        counters.champion - base.champion,
        counters.challenger - base.challenger,
        counters.shadow - base.shadow,
    )
    if min(grown.champion.n, grown.challenger.n, grown.shadow.n) < 0:
        return None
    seen = state.seen
    total = Seen(
        seen.champion + grown.champion, seen.challenger + grown.challenger, seen.shadow + grown.shadow
    )
    return replace(state, mark=counters, seen=total)


def passed(state: RouteState, decision: RolloutDecision, limit: float, now: float) -> RouteState:
    """The present stage is passed; its weights stay until the next is entered."""
    record = _record(state, decision, limit, now, passed=True)
    return replace(state, history=(*state.history, record), seen=Seen(), since=now, taken=None, beat=now)


def failed(state: RouteState, decision: RolloutDecision, limit: float, now: float) -> RouteState:
    """All traffic back to the champion at once; aliases follow in the rollback op."""
    history = (
        (*state.history, _record(state, decision, limit, now, passed=False))
        if state.entered
        else state.history
    )
    return undoing(replace(state, history=history), decision.reason, now)


def undoing(state: RouteState, reason: str, now: float) -> RouteState:
    """The rollback begins, for a reason that is kept if there is one already."""
    return replace(
        state,
        phase=Phase.ROLLING_BACK,
        weight=0,
        mirror_percent=0,
        beat=now,
        reason=state.reason or reason,
        since=state.since if state.phase is Phase.ROLLING_BACK else now,
    )


def rolled_back(state: RouteState, now: float) -> RouteState:
    return replace(state, phase=Phase.ROLLED_BACK, beat=now)


def promoting(state: RouteState, now: float) -> RouteState:
    """The promotion begins: the challenger keeps its weight until serving has followed the alias.

    Raises:
        ValueError: when a stage is not passed.
    """
    if not state.all_passed or not all(record.passed for record in state.history):
        raise ValueError(
            f"rollout {state.rollout}: only {', '.join(state.passed) or 'no stage'} passed, not the whole plan"
        )
    return replace(state, phase=Phase.PROMOTING, alias_moved=True, since=now, beat=now)


def with_champion(state: RouteState, now: float) -> RouteState:
    """All traffic to the champion endpoints, which serve the promoted version by now."""
    return replace(state, weight=0, mirror_percent=0, beat=now)


def promoted(state: RouteState, now: float) -> RouteState:
    return replace(state, phase=Phase.PROMOTED, beat=now)


def _record(
    state: RouteState, decision: RolloutDecision, limit: float, now: float, *, passed: bool
) -> StepRecord:
    judged: Count = state.judged
    return StepRecord(
        stage=state.stage.name,
        weight=state.weight,
        started=state.since,
        ended=now,
        seen=state.seen,
        log_e=round(log_e(judged.n, judged.k, limit), 3),
        passed=passed,
        reason=decision.reason,
    )
