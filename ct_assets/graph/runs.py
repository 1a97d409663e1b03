"""Looks at the runs of a job: which days they cover, which are under way, which ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

from ct_assets.graph.names import PARTITION, RANGE_END, RANGE_START
from ct_assets.lake.window import days_between

__all__ = ["FINISHED", "UNFINISHED", "days_of", "finished_runs", "unfinished_runs"]

UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_NEWEST = 500  # runs looked at: a month of days, each tried as often as it may be, is a fraction of that


def unfinished_runs(instance: dg.DagsterInstance, job: str, *assets: dg.AssetKey) -> list[dg.DagsterRun]:
    """Runs of `job`, and those by hand or of a backfill that materialize one of `assets`."""
    runs = instance.get_runs(dg.RunsFilter(statuses=list(UNFINISHED)))
    return [run for run in runs if run.job_name == job or set(assets) & set(run.asset_selection or ())]


def finished_runs(
    instance: dg.DagsterInstance,
    job: str,
    *,
    tags: Mapping[str, str] | None = None,
    statuses: Sequence[dg.DagsterRunStatus] = FINISHED,
) -> list[dg.DagsterRun]:
    """The newest runs of `job` that ended as one of `statuses`, newest first."""
    wanted = dg.RunsFilter(job_name=job, statuses=list(statuses), tags=dict(tags or {}))
    return list(instance.get_runs(wanted, limit=_NEWEST))


def days_of(run: dg.DagsterRun) -> list[date]:
    """The daily partitions that a run covers."""
    if one := run.tags.get(PARTITION):
        return [date.fromisoformat(one)]
    first, last = run.tags.get(RANGE_START), run.tags.get(RANGE_END)
    return days_between(date.fromisoformat(first), date.fromisoformat(last)) if first and last else []
