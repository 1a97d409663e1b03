"""Holds the route for one owner: every write is compare-and-set, every wait beats, a lost hold stops the run."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ct_assets.rollout.context import RolloutContext, Superseded
from ct_assets.rollout.routers.base import Conflict
from ct_assets.rollout.state import RouteState

__all__ = ["Hold"]


class Hold:
    """The route as this owner last wrote or read it.

    Raises:
        Superseded: here and in every method, when the route belongs to another owner by now.
    """

    def __init__(self, ctx: RolloutContext) -> None:
        self._ctx = ctx
        self.refresh()
        self.routed = self._route.version
        """Version of the route that brought the present weights: what the router must have taken."""

    @property
    def state(self) -> RouteState:
        return self._route.state

    def refresh(self) -> None:
        """Reads the route again."""
        self._route = self._ctx.router.read()
        owner = self._route.state.owner
        if owner != self._ctx.owner:
            raise Superseded(
                f"rollout {self._route.state.rollout or '(none)'} belongs to {owner or 'nobody'}, not to {self._ctx.owner}"
            )

    def write(self, state: RouteState) -> None:
        """Replaces the route; raises Conflict where the same owner wrote it elsewhere (two ops at once)."""
        before = self.state
        try:
            self._route = self._ctx.router.write(state, self._route.version)
        except Conflict:
            self.refresh()
            raise
        if (before.weight, before.mirror_percent) != (state.weight, state.mirror_percent):
            self.routed = self._route.version

    def beat(self, state: RouteState | None = None) -> RouteState:
        """Writes a sign of life (and the evidence in `state`) if the last one is `beat_s` old."""
        state = state or self.state
        now = self._ctx.now()
        if now - state.beat < self._ctx.beat_s:
            return state
        state = replace(state, beat=now)
        self.write(state)
        return state

    def taken(self) -> bool:
        """Whether the router has the present weights."""
        return self._ctx.router.confirmed(self.routed)

    def wait(self, until: Callable[[], bool], limit_s: float) -> bool:
        """Polls until true; False after `limit_s`. Beats meanwhile, so nobody takes the wait for a death."""
        deadline = self._ctx.now() + limit_s
        while not until():
            if self._ctx.now() >= deadline:
                return False
            self._ctx.sleep(self._ctx.poll_s)
            self.beat()
        return True
