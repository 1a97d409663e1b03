"""Makes the challenger champion. In an order that no kill can spoil:

1. alias `previous_champion` -> the old version, alias `champion` -> the new one
2. wait until every champion endpoint reports the new version; the challenger keeps its weight meanwhile
3. all traffic to the champion endpoints, and wait until the router has taken that
4. clear alias `challenger` (its process may drop the model now), tag the version, tell, close the rollout

Each step may be repeated: a rerun begins at 1 and ends in the same state.
"""

from __future__ import annotations

from ct_assets.rollout.context import RolloutContext, RolloutError, ServingBehind, evidence_of
from ct_assets.rollout.ending import Ending
from ct_assets.rollout.hold import Hold
from ct_assets.rollout.look import moved
from ct_assets.rollout.rollback import rollback
from ct_assets.rollout.state import Phase, RouteState
from ct_assets.rollout.transitions import promoted, promoting, with_champion

__all__ = ["promote"]


def promote(ctx: RolloutContext) -> Ending:
    """Ends a rollout whose stages are all passed; rolls it back instead if an alias moved under it.

    Raises:
        ServingBehind: champion endpoints or the router did not follow within `follow_s`; the challenger keeps
            its weight, alias champion names it, and a rerun waits again.
        RolloutError: a stage is not passed, or the rollout was rolled back.
        Superseded: another run steers by now.
    """
    hold = Hold(ctx)
    state = hold.state
    if state.phase.undone:
        raise RolloutError(f"rollout {state.rollout} was rolled back ({state.reason}): nothing to promote")
    if state.phase is Phase.STAGE:
        if not state.all_passed:
            raise RolloutError(f"rollout {state.rollout}: {state.stage.name} is not passed")
        changed = moved(ctx.registry, state)
        if changed is None:
            raise RolloutError(f"rollout {state.rollout}: the registry cannot be read; a rerun tries again")
        if changed:
            return rollback(ctx, changed)
        hold.write(promoting(state, ctx.now()))
    if hold.state.phase is Phase.PROMOTING:
        _move(ctx, hold)
    ending = _tell(ctx, hold.state)
    if hold.state.phase is Phase.PROMOTING:
        hold.write(
            promoted(hold.state, ctx.now())
        )  # last: once closed, no rerun would tell what a kill swallowed
    return ending


def _move(ctx: RolloutContext, hold: Hold) -> None:
    state, registry = hold.state, ctx.registry
    new = state.challenger or ""
    if state.champion is not None:
        registry.set_alias("previous_champion", state.champion)
    hold.refresh()  # the last look before the alias moves: a superseded run must not move it
    registry.set_alias("champion", new)
    if not hold.wait(lambda: all(ctx.serving(url) == new for url in ctx.champion_urls), ctx.follow_s):
        behind = ", ".join(f"{url} {ctx.serving(url) or 'none'}" for url in ctx.champion_urls)
        raise ServingBehind(
            f"rollout {state.rollout}: champion endpoints do not serve v{new} after {ctx.follow_s:.0f} s ({behind}); "
            f"{state.weight} % of the traffic stays on the challenger"
        )
    hold.write(with_champion(hold.state, ctx.now()))
    if not hold.wait(hold.taken, ctx.follow_s):
        raise ServingBehind(
            f"rollout {state.rollout}: the router did not take the champion's route in {ctx.follow_s:.0f} s"
        )
    registry.clear_alias("challenger", only_if=new)
    registry.tag(new, **{"ct.rollout": "promoted"})


def _tell(ctx: RolloutContext, state: RouteState) -> Ending:
    version = state.challenger or ""
    after = f"after {', '.join(state.passed)}" if state.plan else "as the first champion, without steps"
    reason = f"v{version} is champion {after}; before: {'v' + state.champion if state.champion else 'none'}"
    evidence = evidence_of(state, state.since)  # when the promotion began: the same in every rerun
    ctx.say("promote", reason, evidence)
    return Ending(Phase.PROMOTED, state.rollout, version, version, reason, state.history, evidence)
