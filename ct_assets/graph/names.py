"""Names of everything a model has in Dagster. Each carries the model's name: they are unique in a code location."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import dagster as dg

from ct_assets.spec import ModelSpec

__all__ = ["PARTITION", "RANGE_END", "RANGE_START", "Names", "daily_partitions", "day_range_tags"]

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
PARTITION = "dagster/partition"


@dataclass(frozen=True, slots=True)
class Names:
    """Keys and names of one model."""

    model: str

    def key(self, asset: str) -> dg.AssetKey:
        return dg.AssetKey([self.model, asset])

    @property
    def judge_job(self) -> str:
        return f"{self.model}_judge_days"

    @property
    def retraining_job(self) -> str:
        return f"{self.model}_retraining"

    @property
    def rollout_job(self) -> str:
        return f"{self.model}_canary_rollout"

    @property
    def closer(self) -> str:
        return f"{self.model}_closer"

    @property
    def drift_sensor(self) -> str:
        return f"{self.model}_drift_sensor"

    @property
    def canary_sensor(self) -> str:
        return f"{self.model}_canary_sensor"

    @property
    def daily(self) -> str:
        return f"{self.model}_daily"


def daily_partitions(spec: ModelSpec) -> dg.DailyPartitionsDefinition:
    """UTC days that are over. A day still running has no partition: half a day against whole ones always drifts."""
    return dg.DailyPartitionsDefinition(start_date=spec.history_start, end_offset=0)


def day_range_tags(first: date, last: date) -> dict[str, str]:
    """Tags that make one run cover the partitions `first`..`last`."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}
