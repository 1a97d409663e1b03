"""Asks an Envoy what it did: which route it took, and how many requests of each variant failed.

Behind the guard Envoy charges a request to `guarded`, not to `challenger` (whose own response-code counters
stay at zero). So of each cluster, failed = requests whose *first* attempt failed:
`retry` (first attempts that were tried again) + `5xx` (failed answers) - `retry_limit_exceeded` (failed
answers that are in `retry` already). The shadow is never retried, its connection failures count as 503.
A restart sets all counters to zero; it shows as another epoch, the time at which the bootstrap was loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import quote
from urllib.request import ProxyHandler, build_opener

from ct_assets.rollout.state import Count, Counters

__all__ = ["EnvoyAdmin"]

_CLUSTERS = {"champion": "champion", "challenger": "guarded", "shadow": "challenger_shadow"}
_STATS = (
    r"^cluster\.(champion|guarded|challenger_shadow)\.upstream_rq_(completed|5xx|retry|retry_limit_exceeded)$"
)


class EnvoyAdmin:
    """The admin interface at `url`. Nothing here raises: a server that is down or hangs answers None."""

    def __init__(self, url: str, timeout_s: float = 2.0) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._opener = build_opener(ProxyHandler({}))  # a proxy of the environment must not see admin calls

    def route_version(self) -> int | None:
        """Version of the route configuration in force; None: unknown."""
        dump = self._get("/config_dump?resource=dynamic_route_configs&mask=version_info")
        try:
            return max(int(config["version_info"]) for config in (dump or {})["configs"])
        except (KeyError, TypeError, ValueError):
            return None

    def counters(self) -> Counters | None:
        """Raw counters by variant, with the epoch that they belong to; None: unknown."""
        epoch = self._epoch()
        body = self._get(f"/stats?format=json&filter={quote(_STATS)}") if epoch else None
        if not epoch or body is None:
            return None
        values = {s["name"]: int(s["value"]) for s in body.get("stats", ()) if "name" in s}
        if "cluster.guarded.upstream_rq_retry" not in values:
            return None  # an Envoy, but not one with our clusters: no evidence at all, rather than zeros
        return Counters(epoch, **{variant: _count(values, cluster) for variant, cluster in _CLUSTERS.items()})

    def _epoch(self) -> str | None:
        dump = self._get("/config_dump?mask=last_updated")
        try:
            return str((dump or {})["configs"][0]["last_updated"])
        except (KeyError, IndexError, TypeError):
            return None

    def _get(self, path: str) -> dict[str, Any] | None:
        try:
            with self._opener.open(self._url + path, timeout=self._timeout_s) as response:
                body = json.load(response)
        except (OSError, HTTPException, ValueError):
            return None
        return body if isinstance(body, dict) else None


def _count(values: Mapping[str, int], cluster: str) -> Count:
    """Completed and failed of one cluster; a code that never occurred has no counter yet, hence 0."""
    completed, failed, retried, given_up = (
        values.get(f"cluster.{cluster}.upstream_rq_{name}", 0)
        for name in ("completed", "5xx", "retry", "retry_limit_exceeded")
    )
    return Count(completed, retried + failed - given_up)
