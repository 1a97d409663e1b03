"""Looks at the runs of a job: which days they cover, which are under way, which died."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import dagster as dg

from ct_assets.graph.names import PARTITION, RANGE_END, RANGE_START
from ct_assets.lake.window import days_between

__all__ = ["DEAD", "UNFINISHED", "dead_runs", "days_of", "unfinished_runs"]

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
DEAD = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_NEWEST = 200  # dead runs looked at; attempts are capped far below


def unfinished_runs(instance: dg.DagsterInstance, job: str) -> list[dg.DagsterRun]:
    return list(instance.get_runs(dg.RunsFilter(job_name=job, statuses=UNFINISHED)))


def dead_runs(instance: dg.DagsterInstance, job: str, tags: Mapping[str, str] | None = None) -> list[dg.DagsterRun]:
    return list(instance.get_runs(dg.RunsFilter(job_name=job, statuses=DEAD, tags=dict(tags or {})), limit=_NEWEST))


def days_of(run: dg.DagsterRun) -> list[date]:
    """The daily partitions that a run covers."""
    if one := run.tags.get(PARTITION):
        return [date.fromisoformat(one)]
    first, last = run.tags.get(RANGE_START), run.tags.get(RANGE_END)
    return days_between(date.fromisoformat(first), date.fromisoformat(last)) if first and last else []
