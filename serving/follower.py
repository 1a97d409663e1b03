"""Follows one alias of the registry: decides which version this process serves, and swaps it whole.

Every `follow_s` seconds a thread asks which version the alias names. A new one is downloaded, checked
(digest, features, golden rows) and warmed beside the one that serves; then one reference is replaced, so
that a request sees the old model or the new one, never neither. Whatever fails, the old model stays:

    registry away               keep serving, say so, ask again (1, 2, 4 ... up to 10 x follow_s)
    version cannot be loaded    keep serving the old one, say so, try again with growing waits
    alias cleared, champion     keep serving: somebody must answer
    alias cleared, challenger   stop: a withdrawn candidate answers nobody; requests in flight are finished
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from ct_assets.registry.version import Version
from ct_assets.spec import ModelSpec
from serving.backoff import Throttle, backoff_s
from serving.metrics import Metrics
from serving.predictor import Predictor
from serving.settings import ServingSettings

__all__ = ["AliasSource", "Follower", "Served"]

_log = logging.getLogger(__name__)


class AliasSource(Protocol):
    """What the follower needs of a registry (`ct_assets.registry.Registry` is one)."""

    def by_alias(self, alias: str) -> Version | None: ...

    def download(self, version: str, destination: Path) -> Path: ...


@dataclass(frozen=True, slots=True)
class Served:
    """The model that answers now."""

    predictor: Predictor
    version: str
    run_id: str
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class _Refused:
    """A version that could not be loaded, and when to try it again."""

    version: str
    failures: int
    retry_at: datetime


class Follower:
    """Keeps `served` at the version that the alias names. Only its own thread writes; anyone may read."""

    def __init__(
        self,
        spec: ModelSpec,
        alias: str,
        registry: AliasSource,
        metrics: Metrics,
        settings: ServingSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self.served: Served | None = None
        self.detail = "starting: the registry was not asked yet"
        self._spec = spec
        self._alias = alias
        self._registry = registry
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self._lost = 0
        self._refused: _Refused | None = None
        self._throttle = Throttle(_log)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow-{alias}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Ends the thread; one that hangs in the registry dies with the process."""
        self._stop.set()
        self._thread.join(timeout_s)

    def tick(self) -> None:
        """One look at the registry, and what follows from it. Raises nothing."""
        try:
            wanted = self._registry.by_alias(self._alias)
        except Exception as error:  # noqa: BLE001  SQL, HTTP and MLflow errors alike mean: not now
            self._lost += 1
            self._failed("registry", f"the registry cannot be reached ({_brief(error)})")
            return
        self._lost = 0
        served, refused = self.served, self._refused
        if wanted is None:
            self._withdrawn(served)
        elif served and (served.version, served.run_id) == (wanted.version, wanted.run_id):
            self._refused, self.detail = None, ""
        elif not refused or refused.version != wanted.version or self._clock() >= refused.retry_at:
            self._load(wanted)

    def _run(self) -> None:
        follow_s = self._spec.serving.follow_s
        while True:
            self.tick()
            wait_s = backoff_s(self._lost, first_s=follow_s, cap_s=10 * follow_s) if self._lost else follow_s
            if self._stop.wait(wait_s):
                return

    def _load(self, wanted: Version) -> None:
        started_s = time.perf_counter()
        try:
            with tempfile.TemporaryDirectory(prefix="serving-") as folder:
                predictor = Predictor.load(self._registry.download(wanted.version, Path(folder)), self._spec)
        except Exception as error:  # noqa: BLE001  a bad version must never take the good one down
            before = self._refused
            failures = before.failures + 1 if before and before.version == wanted.version else 1
            wait_s = backoff_s(
                failures, first_s=self._settings.retry_first_s, cap_s=self._settings.retry_cap_s
            )
            self._refused = _Refused(wanted.version, failures, self._clock() + timedelta(seconds=wait_s))
            self._failed("model", f"version {wanted.version} cannot be loaded ({_brief(error)})")
            return
        before_version = self.served.version if self.served else "none"
        self._metrics.serving(self._alias, wanted.version, wanted.run_id)
        self.served = Served(predictor, wanted.version, wanted.run_id, self._clock())
        self._refused, self.detail = None, ""
        _log.info(
            "%s %s: serving version %s (before: %s), loaded in %.2f s",
            self._spec.model, self._alias, wanted.version, before_version, time.perf_counter() - started_s,
        )  # fmt: skip

    def _withdrawn(self, served: Served | None) -> None:
        self._refused = None
        if served is None:
            if "any more" not in self.detail:
                self.detail = f"no model has alias {self._alias} yet"
        elif self._alias == "champion":
            self.detail = f"no model has alias champion any more; still serving version {served.version}"
        else:
            self.served = None
            self._metrics.serving(self._alias, None)
            self.detail = f"no model has alias {self._alias} any more; version {served.version} was withdrawn"
            _log.info("%s: %s", self._spec.model, self.detail)

    def _failed(self, reason: str, what: str) -> None:
        self._metrics.follower_failed(reason)
        still = f"still serving version {self.served.version}" if self.served else "no model is loaded"
        self.detail = f"{what}; {still}"
        self._throttle.error(reason, f"{self._spec.model} {self._alias}: {self.detail}")


def _brief(error: Exception) -> str:
    """Class and first line: the whole of a database error is a page."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
