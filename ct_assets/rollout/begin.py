"""Opens a rollout, or takes an open one over. The first thing that every rollout run does."""

from __future__ import annotations

from ct_assets.rollout.context import NotOwner, RolloutContext, RolloutError, evidence_of
from ct_assets.rollout.plan import Action, stages
from ct_assets.rollout.routers.base import Conflict
from ct_assets.rollout.state import RouteState
from ct_assets.rollout.transitions import opened, taken_by

__all__ = ["begin"]


def begin(ctx: RolloutContext, challenger: str, champion: str | None, *, force: bool = False) -> RouteState:
    """The state under this owner. Called again by the same owner it changes nothing.

    Args:
        ctx: the run.
        challenger: version under alias `challenger`; to an open rollout, the version it is of.
        champion: version under alias `champion`; None makes it the first champion's rollout, without steps.
        force: take over although the owner may be alive (it stops at its next beat): for a rollback by hand.

    Raises:
        NotOwner: another owner is alive.
        RolloutError: a rollout of another version is open, or challenger and champion are the same.
    """
    route = ctx.router.read()
    state, now = route.state, ctx.now()
    if state.owner == ctx.owner and state.challenger == challenger:
        _tell_again(ctx, state)
        return state  # a retried op; a finished rollout of this very run stays finished
    if state.phase.open:
        _may_take(ctx, state, challenger, now, force=force)
        taken, action = taken_by(state, ctx.owner, now), "take over"
        reason = f"attempt {taken.attempts}: owner {state.owner} was silent for {now - state.beat:.0f} s"
    elif challenger == champion:
        raise RolloutError(f"v{challenger} is champion already: clear alias challenger")
    else:
        taken, action = opened(state, stages(ctx.spec), challenger, champion, ctx.owner, now), "start"
        names = ", ".join(stage.name for stage in taken.plan) or "no steps: there is no champion yet"
        reason = f"v{challenger} against {'v' + champion if champion else 'nothing'}: {names}"
    try:
        ctx.router.write(taken, route.version)
    except Conflict as error:
        raise NotOwner(f"rollout {taken.rollout}: another run was faster") from error
    ctx.say(action, reason, evidence_of(taken, now))
    _tell_again(ctx, taken)
    return taken


def _tell_again(ctx: RolloutContext, state: RouteState) -> None:
    """The verdicts so far, in case a crash swallowed one; the same rows, which the ledger drops if it has them."""
    for record in state.history:
        action = Action.ADVANCE if record.passed else Action.ROLLBACK
        ctx.say(action.value, record.reason, evidence_of(state, record.ended, record))


def _may_take(ctx: RolloutContext, state: RouteState, challenger: str, now: float, *, force: bool) -> None:
    if state.challenger != challenger:
        raise RolloutError(
            f"rollout {state.rollout} is open: roll it back before one of v{challenger} begins"
        )
    silent_s = now - state.beat
    if silent_s < ctx.stale_s and not force:
        raise NotOwner(
            f"rollout {state.rollout}: owner {state.owner} beat {silent_s:.0f} s ago, and is not dead before {ctx.stale_s:.0f} s"
        )
