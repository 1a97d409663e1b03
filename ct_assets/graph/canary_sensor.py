"""`<model>_canary_sensor`: starts a rollout, gives a dead one a new owner, or has it rolled back."""

import dagster as dg

from ct_assets.graph.canary import ACTION, ROLLOUT
from ct_assets.graph.names import Names
from ct_assets.graph.retrained_model import REASON
from ct_assets.graph.runs import UNFINISHED
from ct_assets.resources import Clock, RegistryResource, RouterResource
from ct_assets.rollout import RunFacts, SupervisionAction, subject, supervise
from ct_assets.spec import ModelSpec

__all__ = ["canary_sensor", "run_facts"]


def canary_sensor(spec: ModelSpec) -> dg.SensorDefinition:
    """Level-triggered: what it decides depends only on route, aliases and runs."""

    @dg.sensor(
        name=Names(spec.model).canary_sensor,
        # By name: given the job itself, Dagster copies the sensor and warns of its own call.
        job_name=Names(spec.model).rollout_job,
        minimum_interval_seconds=spec.calendar.poll_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the rollout of a challenger, takes over one whose run died, rolls back a cancelled one.",
    )
    def _canary_sensor(
        context: dg.SensorEvaluationContext, registry: RegistryResource, router: RouterResource, clock: Clock
    ) -> dg.SensorResult | dg.SkipReason:
        route, versions = router.of(spec).read().state, registry.of(spec)
        challenger, champion = versions.by_alias("challenger"), versions.by_alias("champion")
        named = challenger.version if challenger else None
        decision = supervise(
            route,
            named,
            champion.version if champion else None,
            clock.now().timestamp(),
            run_facts(context.instance, Names(spec.model).rollout_job, subject(route, named)),
        )
        if decision.action is SupervisionAction.NOTHING:
            return dg.SkipReason(decision.reason)
        tags = {ROLLOUT: decision.rollout, REASON: decision.reason}
        if decision.action is SupervisionAction.ROLLBACK:
            tags[ACTION] = "rollback"
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=decision.run_key, tags=tags)])

    return _canary_sensor


def run_facts(instance: dg.DagsterInstance, job: str, rollout: str | None) -> RunFacts:
    """The runs that carry `rollout`, as Dagster knows them."""
    if rollout is None:
        return RunFacts()
    records = instance.get_run_records(dg.RunsFilter(job_name=job, tags={ROLLOUT: rollout}), limit=50)
    statuses = [record.dagster_run.status for record in records]
    return RunFacts(
        started=len(records),
        queued=dg.DagsterRunStatus.QUEUED in statuses,
        alive=any(status in UNFINISHED for status in statuses),
        cancelled=any(s in (dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.CANCELING) for s in statuses),
        # Of the last change of status: what counts is when it left the queue, not when it was asked for.
        newest_at=max((record.update_timestamp.timestamp() for record in records), default=None),
    )
