"""`<model>_drift_sensor`: level-triggered. Each tick gathers the facts anew and asks the pure trigger."""

import json
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from ct_assets.graph.check_history import evaluations
from ct_assets.graph.names import Names
from ct_assets.graph.runs import dead_runs, unfinished_runs
from ct_assets.lake.store import Lake
from ct_assets.resources import Clock, LakeResource, RegistryResource
from ct_assets.spec import ModelSpec

if TYPE_CHECKING:
    from ct_assets.drift.trigger import Facts, Trigger
    from ct_assets.registry import Registry

__all__ = ["drift_sensor", "gather_facts"]

EVALUATION = "ct/evaluation"


def drift_sensor(spec: ModelSpec, job: Any) -> dg.SensorDefinition:
    """Starts one retraining an evaluation that asks for it; says in the ledger whenever its mind changes."""

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
        from ct_assets.drift.trigger import Action, decide

        store, now = lake.open(), clock.now()
        facts = gather_facts(spec, context.instance, store, registry.of(spec), now)
        trigger = decide(facts, spec)
        said = _cursor(trigger)
        if said != context.cursor:
            _write(lake, spec, trigger, facts, now)
        if trigger.action is not Action.RETRAIN:
            return dg.SensorResult(skip_reason=f"{trigger.action}: {trigger.reason}", cursor=said)
        request = _request(spec, context.instance, trigger, facts)
        if request is None:
            why = f"retraining as of {trigger.day} died {spec.calendar.attempts} times: it is left to a person"
            return dg.SensorResult(skip_reason=why, cursor=said)
        return dg.SensorResult(run_requests=[request], cursor=said)

    return _drift_sensor


def gather_facts(spec: ModelSpec, instance: dg.DagsterInstance, lake: Lake, registry: "Registry", now: datetime) -> "Facts":
    """Everything the trigger looks at, from calendar, check history, registry and labels."""
    from ct_assets.calendar import Rules, live, newest_due_day, window_fingerprint
    from ct_assets.drift.archive import read_verdicts
    from ct_assets.drift.trigger import Facts, Judged
    from ct_assets.lake.days import slots
    from ct_assets.training.sufficiency import label_sufficiency

    names, rules = Names(spec.model), Rules.of(spec.calendar)
    look_back = max(spec.drift.persistence.n, spec.drift.window_days, spec.calendar.max_age_days) + 1
    known = slots(lake, spec.model, last=newest_due_day(now, rules), days=look_back)
    alive = live(known, now, rules)
    champion = registry.by_alias("champion")
    days = [slot.day for slot in known]
    verdicts = read_verdicts(lake, spec.model, days)
    judged = {
        day: Judged(day, v.outcome, v.fingerprint, v.champion, evaluation, v.reason)
        for day, evaluation in evaluations(instance, spec, days).items()
        if (v := verdicts.get(day)) is not None
    }
    window = [s for s in known if alive and alive.day - timedelta(days=spec.drift.window_days) < s.day <= alive.day]
    return Facts(
        now=now,
        live=alive,
        live_fingerprint=window_fingerprint(window),
        judged=judged,
        champion=champion.version if champion else None,
        in_flight=bool(unfinished_runs(instance, names.retraining_job)) or registry.by_alias("challenger") is not None,
        last_retrained=_last_evaluated(spec, instance),
        labels=lambda: label_sufficiency(spec, lake, alive.day) if alive else None,
    )


def _last_evaluated(spec: ModelSpec, instance: dg.DagsterInstance) -> date | None:
    """Newest as-of day that went through the gate. A run that died before it does not count, and is tried again."""
    keys = instance.get_materialized_partitions(Names(spec.model).key("evaluation"))
    return max((date.fromisoformat(key) for key in keys), default=None)


def _cursor(trigger: "Trigger") -> str:
    fact = {"day": str(trigger.day), "evaluation": trigger.evaluation, "action": trigger.action, "reason": trigger.reason}
    return json.dumps(fact, sort_keys=True)


def _write(lake: LakeResource, spec: ModelSpec, trigger: "Trigger", facts: "Facts", now: datetime) -> None:
    from ct_assets.ledger import Entry

    lake.ledger().append(
        Entry(
            at=now,
            model=spec.model,
            kind="trigger",
            action=str(trigger.action),
            reason=trigger.reason,
            day=str(trigger.day) if trigger.day else None,
            version=facts.champion,
            evidence={"evaluation": trigger.evaluation, "until": str(trigger.until) if trigger.until else None},
        )
    )


def _request(
    spec: ModelSpec, instance: dg.DagsterInstance, trigger: "Trigger", facts: "Facts"
) -> dg.RunRequest | None:
    """One run an evaluation, tried again after a death; None once the tries are spent."""
    evaluation = f"{facts.champion}:{trigger.day}:{trigger.evaluation}"
    deaths = len(dead_runs(instance, Names(spec.model).retraining_job, {EVALUATION: evaluation}))
    if deaths >= spec.calendar.attempts:
        return None
    return dg.RunRequest(
        run_key=f"{spec.model}:{evaluation}:{deaths + 1}",
        partition_key=str(trigger.day),
        tags={EVALUATION: evaluation, "ct/reason": trigger.reason, "ct/attempt": str(deaths + 1)},
    )
