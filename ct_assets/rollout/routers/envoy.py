"""Moves traffic by an Envoy route file that Envoy watches: one file is the weights and the rollout's state.

Written under a lock, to a temporary file that is synced and then renamed over the old one: a reader (Envoy
too) sees the old route or the new, never half of one, and a crash loses neither. The file outlives Envoy.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ct_assets.rollout.routers.base import Conflict, RouterError
from ct_assets.rollout.routers.envoy_admin import EnvoyAdmin
from ct_assets.rollout.routers.envoy_route import parse, render
from ct_assets.rollout.state import Counters, Route, RouteState

__all__ = ["ROUTE_FILE", "EnvoyRouter"]

ROUTE_FILE = "rds.json"


class EnvoyRouter:
    """The route in `folder`, of the Envoy whose admin interface is at `admin_url`."""

    def __init__(self, folder: Path, admin_url: str, *, timeout_s: float = 2.0) -> None:
        self.path = folder / ROUTE_FILE
        self._admin = EnvoyAdmin(admin_url, timeout_s)

    def initialise(self) -> Route:
        """The route as it stands; where there is none, one that sends everything to the champion.

        A file that was deleted under a running Envoy comes back with a version above the one in force.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if self.path.exists():
                return self.read()
            return self._replace(Route((self._admin.route_version() or 0) + 1, RouteState()))

    def read(self) -> Route:
        try:
            return parse(self.path.read_bytes())
        except FileNotFoundError as error:
            raise RouterError(
                f"{self.path}: no route file; start the router once, which writes it"
            ) from error
        except (ValueError, msgspec.MsgspecError) as error:
            raise RouterError(
                f"{self.path}: not a route of this system ({error}); restore it, or delete it to begin "
                "with everything on the champion"
            ) from error

    def write(self, state: RouteState, expect_version: int) -> Route:
        with self._locked():
            found = self.read().version
            if found != expect_version:
                raise Conflict(f"{self.path}: version {found}, not {expect_version}: somebody else wrote it")
            return self._replace(Route(found + 1, state))

    def confirmed(self, version: int) -> bool:
        in_force = self._admin.route_version()
        return in_force is not None and in_force >= version

    def counters(self) -> Counters | None:
        return self._admin.counters()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            handle = self.path.with_suffix(".lock").open("a")
        except FileNotFoundError as error:
            raise RouterError(f"{self.path}: the folder does not exist; start the router once") from error
        with handle:  # closing the file gives the lock back, and so does the death of the process
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _replace(self, route: Route) -> Route:
        body = json.dumps(render(route.state, route.version), indent=1).encode()
        temporary = self.path.with_suffix(".tmp")
        with temporary.open("wb") as handle:
            handle.write(body)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the rename itself
        finally:
            os.close(folder)
        return route
