"""Looks at the challenger's world once: which version serves, what the router counted, which way aliases point."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, build_opener

from ct_assets.registry.version import RegistryError
from ct_assets.rollout.plan import Observation
from ct_assets.rollout.state import RouteState
from ct_assets.rollout.supervise import alias_moved
from ct_assets.rollout.transitions import counted

if TYPE_CHECKING:
    from ct_assets.rollout.context import Registry, RolloutContext

__all__ = ["common_version", "look", "moved", "serving_version"]

_OPENER = build_opener(ProxyHandler({}))
_TIMEOUT_S = 2.0


def serving_version(url: str) -> str | None:
    """The version that `GET <url>/readyz` reports; None where the endpoint is not ready, down or hangs."""
    try:
        with _OPENER.open(url.rstrip("/") + "/readyz", timeout=_TIMEOUT_S) as response:
            body = json.load(response)
    except (OSError, HTTPException, ValueError):  # 503 is an OSError (HTTPError) too
        return None
    version = body.get("version") if isinstance(body, dict) else None
    return None if version is None else str(version)


def common_version(
    urls: Iterable[str], serving: Callable[[str], str | None], wanted: str | None
) -> str | None:
    """The version that all endpoints serve: a foreign one if any serves it, None if one serves none yet."""
    versions = [serving(url) for url in urls]
    foreign = [version for version in versions if version not in (None, wanted)]
    if foreign:
        return foreign[0]
    return None if None in versions else wanted


def look(ctx: RolloutContext, state: RouteState, routed: int) -> tuple[RouteState, Observation]:
    """The state with this look's evidence counted in, and the observation of it.

    `routed`: version of the route that brought the present weights.
    """
    counters = ctx.router.counters()
    grown = None if counters is None else counted(state, counters)
    state = grown or state
    observation = Observation(
        metrics=grown is not None,
        taken=ctx.router.confirmed(routed),
        serving=common_version(ctx.challenger_urls, ctx.serving, state.challenger),
        moved=moved(ctx.registry, state),
    )
    return state, observation


def moved(registry: Registry, state: RouteState) -> str | None:
    """What somebody changed in the registry under this rollout; empty: nothing; None: it cannot be read."""
    try:
        challenger, champion = registry.by_alias("challenger"), registry.by_alias("champion")
    except RegistryError:
        return None
    return alias_moved(
        state,
        None if challenger is None else challenger.version,
        None if champion is None else champion.version,
    )
