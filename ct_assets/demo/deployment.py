"""The demo's own deployment: folders, ports, and the overlay that makes days of waiting into seconds.

Everything that differs from production stands in `overlay()`; the code that runs is the same.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from ct_assets.embedded.ports import HOST, Ports, free_ports

__all__ = ["MODEL", "Deployment", "Timeline"]

MODEL = "fraud_detector"
INSTANCE = Path(__file__).parents[2] / "dagster.yaml"
_DAY_S = 86_400.0


@dataclass(frozen=True)
class Deployment:
    """One demo deployment in `folder`, at the same place for each scenario: MLflow stores absolute paths."""

    folder: Path
    ports: Ports
    dagster_port: int
    reports_port: int
    first_day: date
    """First day with rows; the first partition."""
    grace_s: float
    """Until now from the end of the live day: that day is due, and the next one a day from now, not at 06:00."""
    bake_s: float = 5.0
    """Seconds at each step of the canary."""

    @classmethod
    def on_free_ports(cls, folder: Path, first_day: date, grace_s: float, bake_s: float) -> Deployment:
        dagster, reports, *others = free_ports(7)
        return cls(folder, Ports(*others), dagster, reports, first_day, grace_s, bake_s)

    def write(self, *, trainer: str | None) -> None:
        """Writes overlay and instance file."""
        self.dagster_home.mkdir(parents=True, exist_ok=True)
        shutil.copy(INSTANCE, self.dagster_home / "dagster.yaml")
        self.overlay_file.write_text(yaml.safe_dump({MODEL: self.overlay(trainer)}, sort_keys=False))

    def overlay(self, trainer: str | None) -> dict[str, Any]:
        """What the demo sets differently from `defs.yaml`."""
        settings: dict[str, Any] = {
            "history_start": self.first_day.isoformat(),
            "calendar": {"grace_s": self.grace_s, "settle_s": 4, "poll_s": 2, "catch_up_days": 14},
            "serving": {
                "max_age_s": 60 * _DAY_S,
                "flush_rows": 2_000,
                "champion_urls": [f"http://{HOST}:{self.ports.champion}"],
                "challenger_urls": [f"http://{HOST}:{self.ports.challenger}"],
            },
            "rollout": {
                "bake_s": self.bake_s,
                "deadline_s": 120,
                "min_requests": 50,
                "shadow": {"requests": 300},
                "envoy_admin_url": f"http://{HOST}:{self.ports.admin}",
            },
        }
        if trainer:
            settings["training"] = {"trainer": trainer}
        return settings

    def env(self) -> dict[str, str]:
        """The environment of every process of this deployment."""
        return {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("CT_", "DAGSTER_", "MLFLOW_"))
            },
            "CT_HOME": str(self.folder),
            "CT_OVERLAY": str(self.overlay_file),
            "CT_LAKE_URL": f"file://{self.lake}",
            "CT_REPORTS_URL": self.reports_url,
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "CT_ROUTER_DIR": str(self.folder / "router"),
            "DAGSTER_HOME": str(self.dagster_home),
            "DO_NOT_TRACK": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def reports_url(self) -> str:
        return f"http://{HOST}:{self.reports_port}"

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow' / 'mlflow.db'}"

    @property
    def dagster_home(self) -> Path:
        return self.folder / "dagster"

    @property
    def overlay_file(self) -> Path:
        return self.folder / "overlay.yaml"

    @property
    def routes(self) -> Path:
        return self.folder / "router" / MODEL

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def router_url(self) -> str:
        return f"http://{HOST}:{self.ports.router}"


@dataclass(frozen=True)
class Timeline:
    """The days of the story, from the day that is live."""

    live: date

    @property
    def first_traffic_day(self) -> date:
        """Two weeks of traffic, ending with the live day; drift, where there is one, begins here."""
        return self.live - timedelta(days=13)

    @property
    def first_champion_as_of(self) -> date:
        return self.first_traffic_day - timedelta(days=1)

    def first_history_day(self, window_days: int, holdout_days: int, label_delay_days: int) -> date:
        """As far back as the first champion's training window reaches."""
        return self.first_champion_as_of - timedelta(days=window_days + holdout_days + label_delay_days - 1)
