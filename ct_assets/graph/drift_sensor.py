"""`<model>_drift_sensor`: level-triggered. Each tick gathers the facts anew and asks the pure trigger."""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg

from ct_assets.calendar import Rules, live, newest_due_day, window_fingerprint
from ct_assets.drift import Action, Facts, LabelSufficiency, Trigger, decide
from ct_assets.graph.check_history import judged_days
from ct_assets.graph.names import Names
from ct_assets.graph.runs import finished_runs, unfinished_runs
from ct_assets.lake.days import slots
from ct_assets.lake.store import Lake
from ct_assets.ledger import Entry
from ct_assets.registry import Registry
from ct_assets.resources import Clock, LakeResource, RegistryResource
from ct_assets.spec import ModelSpec
from ct_assets.training.sufficiency import label_sufficiency

__all__ = ["drift_sensor", "gather_facts"]

EVALUATION = "ct/evaluation"  # run tag: the evaluation that asked for a retraining
RECOUNT_TICKS = 10  # ticks for which a count of labels is good: it reads a window's worth of them
QUIET_DAYS = 7  # days without traffic that "k of the last n judged days" steps over


def drift_sensor(spec: ModelSpec, job: Any) -> dg.SensorDefinition:
    """Starts one retraining an evaluation that asks for it; says in the ledger whenever its mind changes.

    The cursor remembers what was said last and nothing else. Two daemons that tick at once may both write the
    row; the run_key lets only one of their runs through, and no decision is ever read back from the ledger.
    """

    @dg.sensor(
        name=Names(spec.model).drift_sensor,
        job=job,
        minimum_interval_seconds=spec.calendar.poll_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Retrains when the live day's checks say drift, and says why it does or does not.",
    )
    def _drift_sensor(
        context: dg.SensorEvaluationContext, lake: LakeResource, registry: RegistryResource, clock: Clock
    ) -> dg.SensorResult:
        now = clock.now()
        facts = gather_facts(spec, context.instance, lake.open(), registry.of(spec), now)
        trigger, requests = decide(facts, spec), []
        if trigger.action is Action.RETRAIN:
            request = _request(spec, context.instance, trigger, facts)
            if isinstance(request, dg.RunRequest):
                requests = [request]
            else:  # the ledger must not say "retrain" of what nobody starts
                trigger = replace(trigger, action=Action.HOLD, reason=request.skip_message or "")
        said = _cursor(trigger)
        if said != context.cursor:
            lake.ledger().append(_ledger_row(spec, trigger, facts, now))
        skipped = None if requests else f"{trigger.action}: {trigger.reason}"
        return dg.SensorResult(run_requests=requests, skip_reason=skipped, cursor=said)

    return _drift_sensor


def gather_facts(
    spec: ModelSpec, instance: dg.DagsterInstance, lake: Lake, registry: Registry, now: datetime
) -> Facts:
    """Everything the trigger looks at, from calendar, check history, registry and labels.

    Of the lake, it lists and reads some days; labels are counted only once everything else says retrain.
    """
    names, rules = Names(spec.model), Rules.of(spec.calendar)
    look_back = (
        max(
            spec.drift.persistence.n + QUIET_DAYS,
            spec.drift.window_days,
            spec.calendar.max_age_days,
            spec.label_delay_days + spec.training.holdout_days + spec.training.drift_days,
        )
        + 1
    )
    known = slots(lake, spec.model, last=newest_due_day(now, rules), days=look_back)
    alive = live(known, now, rules)
    champion, challenger = registry.by_alias("champion"), registry.by_alias("challenger")
    window = [
        s for s in known if alive and alive.day - timedelta(days=spec.drift.window_days) < s.day <= alive.day
    ]
    retraining = unfinished_runs(
        instance, names.retraining_job, names.key("retrained_model"), names.key("evaluation")
    )
    return Facts(
        now=now,
        live=alive,
        live_fingerprint=window_fingerprint(window),
        judged=judged_days(instance, lake, spec, [slot.day for slot in known]),
        champion=champion.version if champion else None,
        in_flight=bool(retraining) or challenger is not None,
        last_retrained=_last_evaluated(spec, instance),
        labels=lambda: _count_labels(spec, lake, alive.day, now) if alive else None,
    )


_counted: dict[tuple[str, str], tuple[date, datetime, LabelSufficiency]] = {}


def _count_labels(spec: ModelSpec, lake: Lake, day: date, now: datetime) -> LabelSufficiency:
    """The count for a live day, remembered for some ticks: a wait lasts for days, and few labels of its day come late."""
    key, good_for = (lake.url, spec.model), timedelta(seconds=RECOUNT_TICKS * spec.calendar.poll_s)
    known = _counted.get(key)
    if known is not None and known[0] == day and timedelta(0) <= now - known[1] < good_for:
        return known[2]
    found = label_sufficiency(spec, lake, day)
    _counted[key] = (day, now, found)
    return found


def _last_evaluated(spec: ModelSpec, instance: dg.DagsterInstance) -> date | None:
    """Newest as-of day that went through the gate. A run that died before it does not count, and is tried again."""
    keys = instance.get_materialized_partitions(Names(spec.model).key("evaluation"))
    return max((date.fromisoformat(key) for key in keys), default=None)


def _cursor(trigger: Trigger) -> str:
    fact = {
        "day": str(trigger.day),
        "evaluation": trigger.evaluation,
        "action": trigger.action,
        "reason": trigger.reason,
    }
    return json.dumps(fact, sort_keys=True)


def _ledger_row(spec: ModelSpec, trigger: Trigger, facts: Facts, now: datetime) -> Entry:
    return Entry(
        at=now,
        model=spec.model,
        kind="trigger",
        action=str(trigger.action),
        reason=trigger.reason,
        day=str(trigger.day) if trigger.day else None,
        version=facts.champion,
        evidence={"evaluation": trigger.evaluation, "until": str(trigger.until) if trigger.until else None},
    )


def _request(
    spec: ModelSpec, instance: dg.DagsterInstance, trigger: Trigger, facts: Facts
) -> dg.RunRequest | dg.SkipReason:
    """One run an evaluation, tried again after a death; none once a person cancelled it, or the tries are spent."""
    evaluation = f"{facts.champion}:{trigger.day}:{trigger.evaluation}"
    ended = finished_runs(instance, Names(spec.model).retraining_job, tags={EVALUATION: evaluation})
    if any(run.status is dg.DagsterRunStatus.CANCELED for run in ended):
        return dg.SkipReason(
            f"the retraining as of {trigger.day} was cancelled: it is left to a person (ct retrain {spec.model})"
        )
    if len(ended) >= spec.calendar.attempts:
        return dg.SkipReason(
            f"the retraining as of {trigger.day} died {len(ended)} times, and is left to a person: "
            f"see the runs' errors, then ct retrain {spec.model}"
        )
    return dg.RunRequest(
        run_key=f"{spec.model}:{evaluation}:{len(ended) + 1}",
        partition_key=str(trigger.day),
        tags={EVALUATION: evaluation, "ct/reason": trigger.reason, "ct/attempt": str(len(ended) + 1)},
    )
