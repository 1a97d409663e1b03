"""What the graph needs from the deployment: lake, registry, router, code version, clock."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg

from ct_assets.lake.store import Lake
from ct_assets.ledger import Ledger
from ct_assets.registry import Registry
from ct_assets.rollout import EnvoyRouter
from ct_assets.settings import Settings
from ct_assets.spec import ModelSpec

__all__ = ["Clock", "LakeResource", "RegistryResource", "RouterResource", "deployment_resources"]


class Clock(dg.ConfigurableResource[None]):
    """The only clock of the loop."""

    fixed: str = ""
    """ISO time with zone to stand still at (replay, tests); empty: the machine's time."""

    def now(self) -> datetime:
        """Aware, UTC; raises ValueError where `fixed` is no time, or one that means another instant elsewhere."""
        if not self.fixed:
            return datetime.now(UTC)
        at = datetime.fromisoformat(self.fixed)
        if at.tzinfo is None:
            raise ValueError(f"CT_CLOCK_FIXED '{self.fixed}' has no zone: write it like 2024-05-03T06:00:00Z")
        return at.astimezone(UTC)


class LakeResource(dg.ConfigurableResource[None]):
    """The object store with logs, days, verdicts and ledger."""

    url: str
    browse_url: str = ""
    """Where a browser finds the lake's objects, if `url` is no such place (`file://` links are dead in a web page)."""

    def open(self) -> Lake:
        return Lake(self.url)

    def ledger(self) -> Ledger:
        return Ledger(self.open())

    def location(self, key: str) -> str:
        """Where a person finds an object: a URL to click on."""
        return f"{(self.browse_url or self.url).rstrip('/')}/{key}"


class RegistryResource(dg.ConfigurableResource[None]):
    """The MLflow registry, SQLite or server."""

    tracking_uri: str

    def of(self, spec: ModelSpec) -> Registry:
        return Registry(self.tracking_uri, spec.registered_model)


class RouterResource(dg.ConfigurableResource[None]):
    """The traffic router: Envoy, steered through a file that it watches."""

    folder: str
    """Each model's routes lie in `<folder>/<model>/`."""

    def of(self, spec: ModelSpec) -> EnvoyRouter:
        router = EnvoyRouter(Path(self.folder) / spec.model, spec.rollout.envoy_admin_url)
        router.initialise()
        return router


def deployment_resources() -> dict[str, Any]:
    """The resources of this process's environment, by the names that the graph asks for."""
    settings = Settings()
    return {
        "clock": Clock(fixed=os.environ.get("CT_CLOCK_FIXED", "")),
        "lake": LakeResource(url=settings.lake, browse_url=settings.reports_url),
        "registry": RegistryResource(tracking_uri=settings.mlflow),
        "router": RouterResource(folder=str(settings.routes)),
    }


@lru_cache(maxsize=1)
def code_version() -> str:
    """The commit that this code is of: `CT_CODE_VERSION` (an image sets it), else git's, else `unknown`."""
    if given := os.environ.get("CT_CODE_VERSION"):
        return given
    command = ["git", "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return found.stdout.strip() or "unknown"
