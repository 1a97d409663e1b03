"""What the rollout asks of whatever splits the traffic. Envoy is one; a mesh or a gateway can be another."""

from __future__ import annotations

from typing import Protocol

from ct_assets.rollout.state import Counters, Route, RouteState

__all__ = ["Conflict", "Router", "RouterError"]


class RouterError(RuntimeError):
    """The route cannot be read or written: says where it is kept, what is wrong and what to do."""


class Conflict(RouterError):
    """Somebody wrote the route in between: read again and decide again."""


class Router(Protocol):
    """The route of one model: state and weights in one object, written by compare-and-set."""

    def read(self) -> Route:
        """The route as it stands. Raises RouterError."""
        ...

    def write(self, state: RouteState, expect_version: int) -> Route:
        """Replaces the route if it still has `expect_version`; raises Conflict otherwise, RouterError."""
        ...

    def confirmed(self, version: int) -> bool:
        """Whether the data plane routes by this version or a later one. False where it cannot be asked."""
        ...

    def counters(self) -> Counters | None:
        """Raw counters by variant; None where they cannot be had (never zeros). Answers within seconds."""
        ...
