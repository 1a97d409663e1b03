"""Which days have a complete, current set of drift checks, from Dagster's event log.

The storage call used here is not public API of Dagster (1.13); it stands in this file alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus,
    AssetCheckPartitionInfo,
)

from ct_assets.graph.drift_report import check_specs
from ct_assets.spec import ModelSpec

__all__ = ["evaluations"]

_EVALUATED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}


def evaluations(instance: dg.DagsterInstance, spec: ModelSpec, days: Iterable[date]) -> dict[date, str]:
    """Identity of the newest evaluation of each day that has one.

    A day counts only if every check was evaluated against the day's newest materialization. A run that died
    on the way leaves planned checks or a materialization without checks: such a day is not judged, and the
    closer judges it again.
    """
    keys = [dg.AssetCheckKey(check.asset_key, check.name) for check in check_specs(spec)]
    infos = instance.event_log_storage.get_asset_check_partition_info(
        keys, partition_keys=[day.isoformat() for day in days]
    )
    by_day: defaultdict[str, list[AssetCheckPartitionInfo]] = defaultdict(list)
    for info in infos:
        if info.partition_key is not None:
            by_day[info.partition_key].append(info)
    return {
        date.fromisoformat(day): str(max(info.latest_check_event_storage_id for info in found))
        for day, found in by_day.items()
        if len(found) == len(keys)
        and all(info.is_current and info.latest_execution_status in _EVALUATED for info in found)
    }
