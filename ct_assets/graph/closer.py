"""Closes days: the closer sensor (whenever a day has settled) and the daily schedule share one function."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg

from ct_assets.graph.check_history import evaluations
from ct_assets.graph.names import Names, day_range_tags
from ct_assets.graph.runs import days_of, dead_runs, unfinished_runs
from ct_assets.lake.store import Lake
from ct_assets.resources import Clock, LakeResource
from ct_assets.spec import ModelSpec

__all__ = ["closer_sensor", "daily_schedule", "runs_to_close"]

CONTENTS = "ct/contents"


def closer_sensor(spec: ModelSpec, job: Any) -> dg.SensorDefinition:
    """`<model>_closer`: asks for every closed day whose verdict is missing or stale."""

    @dg.sensor(
        name=Names(spec.model).closer,
        job=job,
        minimum_interval_seconds=spec.calendar.poll_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Judges every day that is due, settled, and not judged on what the lake holds now.",
    )
    def _closer(context: dg.SensorEvaluationContext, lake: LakeResource, clock: Clock) -> dg.SensorResult | dg.SkipReason:
        requests = list(runs_to_close(spec, context.instance, lake.open(), clock.now()))
        return dg.SensorResult(run_requests=requests) if requests else dg.SkipReason("every closed day is judged")

    return _closer


def daily_schedule(spec: ModelSpec, job: Any) -> dg.ScheduleDefinition:
    """`<model>_daily`: the same at a fixed hour, for deployments that run no sensors and for catching up."""

    @dg.schedule(
        name=Names(spec.model).daily,
        job=job,
        cron_schedule=spec.calendar.schedule,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Judges every closed day that has no valid verdict yet, however many were missed.",
    )
    def _daily(context: dg.ScheduleEvaluationContext, lake: LakeResource, clock: Clock) -> Any:
        requests = list(runs_to_close(spec, context.instance, lake.open(), clock.now()))
        return requests or dg.SkipReason("every closed day is judged")

    return _daily


def runs_to_close(spec: ModelSpec, instance: dg.DagsterInstance, lake: Lake, now: datetime) -> Iterator[dg.RunRequest]:
    """One request a range of contiguous days that are closed, not judged on their present contents, not in flight."""
    from ct_assets.calendar import Rules, days_to_close, newest_due_day
    from ct_assets.catch_up import plan_runs
    from ct_assets.drift.archive import read_verdicts
    from ct_assets.lake.days import slots

    rules = Rules.of(spec.calendar)
    last = newest_due_day(now, rules)
    # The first days of the look-back still need their whole window to be fingerprinted.
    known = slots(lake, spec.model, last=last, days=spec.calendar.catch_up_days + spec.drift.window_days - 1)
    first = last - timedelta(days=spec.calendar.catch_up_days - 1)
    days = [slot.day for slot in known]
    judged = evaluations(instance, spec, days)
    recorded = {day: v.fingerprint for day, v in read_verdicts(lake, spec.model, days).items() if day in judged}
    busy = {day for run in unfinished_runs(instance, Names(spec.model).judge_job) for day in days_of(run)}
    open_days = days_to_close(known, recorded, busy, now, rules, window_days=spec.drift.window_days)
    wanted = [slot for slot in open_days if slot.day >= first]
    for run in plan_runs(wanted, _failures(spec, instance), attempts=spec.calendar.attempts):
        yield dg.RunRequest(
            run_key=run.key,
            tags={**day_range_tags(run.first, run.last), CONTENTS: json.dumps(run.contents), "ct/attempt": str(run.attempt)},
        )


def _failures(spec: ModelSpec, instance: dg.DagsterInstance) -> Counter[tuple[date, str]]:
    """Dead runs by day and by the contents that they were to judge."""
    return Counter(
        (date.fromisoformat(day), fingerprint)
        for run in dead_runs(instance, Names(spec.model).judge_job)
        for day, fingerprint in json.loads(run.tags.get(CONTENTS, "{}")).items()
    )
