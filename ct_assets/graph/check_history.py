"""Which days have a verdict that counts: a complete, current set of drift checks in Dagster's event log.

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

from ct_assets.drift import Judged, check_names
from ct_assets.drift.archive import read_verdicts
from ct_assets.graph.names import Names
from ct_assets.lake.store import Lake
from ct_assets.spec import ModelSpec

__all__ = ["judged_days"]

_EVALUATED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}


def judged_days(
    instance: dg.DagsterInstance, lake: Lake, spec: ModelSpec, days: Iterable[date]
) -> dict[date, Judged]:
    """Those of `days` that are judged, with the stored verdict: a check's status alone cannot tell drift from a fault.

    A day counts only if every check was evaluated against the day's newest materialization. A run that died
    on the way leaves planned checks or a materialization without checks: such a day is not judged, whatever
    verdict it stored, and the closer judges it again.
    """
    evaluated = _evaluations(instance, spec, days)
    verdicts = read_verdicts(lake, spec.model, evaluated)
    return {
        day: Judged(day, v.outcome, v.fingerprint, v.champion, evaluated[day], v.reason)
        for day, v in verdicts.items()
    }


def _evaluations(instance: dg.DagsterInstance, spec: ModelSpec, days: Iterable[date]) -> dict[date, str]:
    """Day -> identity of its newest complete evaluation."""
    asset = Names(spec.model).key("drift_report")
    keys = [dg.AssetCheckKey(asset, name) for name in check_names(spec)]
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
