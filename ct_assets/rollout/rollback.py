"""Takes a challenger back. Route first, aliases second: no user waits for the registry.

1. all traffic to the champion endpoints (a failed stage has done this already)
2. if the promotion had moved alias `champion`: back to the version before (or cleared, if there was none)
3. clear alias `challenger`, unless it names a newer version by now; tag the version; tell; close

Each step may be repeated: a rerun ends in the same state.
"""

from __future__ import annotations

from ct_assets.rollout.context import RolloutContext, RolloutError, evidence_of
from ct_assets.rollout.ending import Ending
from ct_assets.rollout.hold import Hold
from ct_assets.rollout.state import Phase, RouteState
from ct_assets.rollout.transitions import rolled_back, undoing

__all__ = ["TAKEN_WITHIN_S", "rollback"]

TAKEN_WITHIN_S = 10.0
"""How long the aliases wait for the router. Not for ever: a dead router sends nobody to the challenger."""


def rollback(ctx: RolloutContext, reason: str) -> Ending:
    """Ends the rollout with the champion that it began with. `reason` counts where no verdict gave one already.

    Raises:
        RolloutError: there is no open rollout, or it was promoted (roll out the old version instead).
        Superseded: another run steers by now.
    """
    hold = Hold(ctx)
    state = hold.state
    if state.phase in (Phase.IDLE, Phase.PROMOTED):
        raise RolloutError(
            f"rollout {state.rollout or '(none)'} is {state.phase.value}: nothing to roll back"
        )
    if state.phase is not Phase.ROLLED_BACK:
        if state.phase is not Phase.ROLLING_BACK:
            hold.write(undoing(state, reason, ctx.now()))
        _restore(ctx, hold)
    ending = _tell(ctx, hold.state)
    if hold.state.phase is not Phase.ROLLED_BACK:
        hold.write(
            rolled_back(hold.state, ctx.now())
        )  # last: once closed, no rerun would tell what a kill swallowed
    return ending


def _restore(ctx: RolloutContext, hold: Hold) -> None:
    hold.wait(hold.taken, TAKEN_WITHIN_S)
    hold.refresh()  # the last look before aliases move: a superseded run must not move them
    state, registry = hold.state, ctx.registry
    version = state.challenger or ""
    if state.alias_moved:
        champion = registry.by_alias("champion")
        if champion is not None and champion.version == version:
            if state.champion is None:
                registry.clear_alias("champion", only_if=version)
            else:
                registry.set_alias("champion", state.champion)
    registry.clear_alias("challenger", only_if=version)
    registry.tag(version, **{"ct.rollout": "rolled_back", "ct.rollout_reason": state.reason})


def _tell(ctx: RolloutContext, state: RouteState) -> Ending:
    evidence = evidence_of(state, state.since)  # when the rollback began: the same in every rerun
    ctx.say("rolled_back", state.reason, evidence)
    return Ending(
        Phase.ROLLED_BACK,
        state.rollout,
        state.challenger or "",
        state.champion,
        state.reason,
        state.history,
        evidence,
    )
