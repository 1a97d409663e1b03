"""Closes days: the closer sensor (whenever a day has settled) and the daily schedule share one function."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg

from ct_assets.calendar import Rules, Slot, days_to_close, newest_due_day, window_fingerprint
from ct_assets.catch_up import plan_runs
from ct_assets.drift import check_names
from ct_assets.graph.check_history import judged_days
from ct_assets.graph.names import Names, day_range_tags
from ct_assets.graph.runs import days_of, finished_runs, unfinished_runs
from ct_assets.lake.days import slots
from ct_assets.lake.store import Lake
from ct_assets.resources import Clock, LakeResource
from ct_assets.spec import ModelSpec

__all__ = ["Closing", "close_days", "closer_sensor", "daily_schedule"]

CONTENTS = "ct/contents"  # run tag: ISO day -> what the day's window held, and by which checks it is judged


@dataclass(frozen=True, slots=True)
class Closing:
    """What a tick asks for, and what it has to say."""

    requests: list[dg.RunRequest]
    said: str


def closer_sensor(spec: ModelSpec, job: Any) -> dg.SensorDefinition:
    """`<model>_closer`: asks for every closed day whose verdict is missing or stale."""

    @dg.sensor(
        name=Names(spec.model).closer,
        job=job,
        minimum_interval_seconds=spec.calendar.poll_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Judges every day that is due, settled, and not judged on what the lake holds now.",
    )
    def _closer(
        context: dg.SensorEvaluationContext, lake: LakeResource, clock: Clock
    ) -> dg.SensorResult | dg.SkipReason:
        closing = close_days(spec, context.instance, lake.open(), clock.now())
        if closing.requests:
            context.log.info(closing.said)  # a tick with runs has no skip reason to say it in
        return (
            dg.SensorResult(run_requests=closing.requests)
            if closing.requests
            else dg.SkipReason(closing.said)
        )

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
    def _daily(
        context: dg.ScheduleEvaluationContext, lake: LakeResource, clock: Clock
    ) -> list[dg.RunRequest] | dg.SkipReason:
        closing = close_days(spec, context.instance, lake.open(), clock.now())
        if closing.requests:
            context.log.info(closing.said)  # a tick with runs has no skip reason to say it in
        return closing.requests or dg.SkipReason(closing.said)

    return _daily


def close_days(spec: ModelSpec, instance: dg.DagsterInstance, lake: Lake, now: datetime) -> Closing:
    """One request a range of contiguous days that are closed, not judged on their present contents, not in flight."""
    names, rules, window_days = Names(spec.model), Rules.of(spec.calendar), spec.drift.window_days
    last = newest_due_day(now, rules)
    first = last - timedelta(days=spec.calendar.catch_up_days - 1)
    # The first days of the look-back still need their whole window to be fingerprinted.
    known = slots(lake, spec.model, last=last, days=spec.calendar.catch_up_days + window_days - 1)
    judged = judged_days(instance, lake, spec, [slot.day for slot in known])
    recorded = {day: verdict.fingerprint for day, verdict in judged.items()}
    in_flight = unfinished_runs(instance, names.judge_job, names.key("drift_report"))
    busy = {day for run in in_flight for day in days_of(run)}
    stale = days_to_close(known, recorded, busy, now, rules, window_days=window_days)
    open_days = {slot.day: _contents(spec, known, slot.day) for slot in stale if slot.day >= first}
    tried = _tried(instance, names.judge_job) if open_days else {}  # the runs are read only where it matters
    plan = plan_runs(open_days, tried, attempts=spec.calendar.attempts)
    requests = [
        dg.RunRequest(
            run_key=run.key,
            tags={
                **day_range_tags(run.first, run.last),
                CONTENTS: json.dumps(run.contents),
                "ct/attempt": str(run.attempt),
            },
        )
        for run in plan.runs
    ]
    return Closing(requests, _said(requests, busy, plan.given_up, spec.calendar.attempts))


def _contents(spec: ModelSpec, known: Sequence[Slot], day: date) -> str:
    """What there is to judge. A check that was added later makes it another task, with tries of its own."""
    window = [slot for slot in known if day - timedelta(days=spec.drift.window_days) < slot.day <= day]
    checks = hashlib.sha256(" ".join(check_names(spec)).encode()).hexdigest()[:6]
    return f"{window_fingerprint(window)}-{checks}"


def _tried(instance: dg.DagsterInstance, job: str) -> Counter[tuple[date, str]]:
    """Runs that ended, by day and contents. One that succeeded counts as well: a run_key is good for one run only."""
    return Counter(
        (date.fromisoformat(day), contents)
        for run in finished_runs(instance, job)
        for day, contents in json.loads(run.tags.get(CONTENTS, "{}")).items()
    )


def _said(requests: list[dg.RunRequest], busy: set[date], given_up: Sequence[date], attempts: int) -> str:
    parts = [f"{len(requests)} run(s) asked for"] if requests else []
    if busy:
        parts.append(f"being judged: {', '.join(map(str, sorted(busy)))}")
    if given_up:
        parts.append(
            f"not judged after {attempts} runs, and left to a person: {', '.join(map(str, given_up))}; "
            "see the runs' errors, then materialize drift_report of those days"
        )
    return "; ".join(parts) or "every closed day is judged"
