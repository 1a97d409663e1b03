"""`<model>_canary_rollout`: one op a stage, then promote or rollback.

Ops hold no state: each asks the route where the rollout stands, so a run that takes over from a dead one
passes through what is done and goes on in the middle of what is not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from ct_assets.graph.names import Names
from ct_assets.graph.retrained_model import REASON
from ct_assets.resources import Clock, LakeResource, RegistryResource, RouterResource
from ct_assets.rollout import (
    RolloutContext,
    RolloutError,
    RouterError,
    StepRecord,
    begin,
    ledger_entry,
    promote,
    rollback,
    run_stage,
    stages,
)
from ct_assets.spec import ModelSpec

__all__ = ["ACTION", "ROLLOUT", "canary_rollout_job"]

ACTION = "ct/action"  # run tag; `rollback` makes a run undo the rollout instead of going on with it
ROLLOUT = "ct/rollout"  # run tag: id of the rollout that the run steers


def canary_rollout_job(spec: ModelSpec) -> dg.JobDefinition:
    """The job; its ops are the configured stages in order, then `promote` and `rollback`."""
    names = [stage.name for stage in stages(spec.rollout)]
    ops = [_stage_op(spec, name, first=index == 0).alias(name) for index, name in enumerate(names)]
    promote_op, rollback_op = _promote_op(spec).alias("promote"), _rollback_op(spec).alias("rollback")

    @dg.job(
        name=Names(spec.model).rollout_job,
        description=f"Moves traffic of {spec.model} to the challenger: {', '.join(names)}; promotes it or rolls it back.",
        executor_def=dg.in_process_executor,
    )
    def _job() -> None:
        passed = ops[0]()
        went_bad = [passed.bad]
        for op in ops[1:]:
            passed = op(passed.ok)
            went_bad.append(passed.bad)
        promote_op(passed.ok)
        rollback_op(went_bad)

    return _job


def _stage_op(spec: ModelSpec, stage: str, *, first: bool) -> dg.OpDefinition:
    @dg.op(
        name=f"{spec.model}_{stage}",
        description=f"Stage {stage}: enter it, watch the challenger, pass it or roll it back.",
        ins={} if first else {"before": dg.In(dg.Nothing)},
        out={"ok": dg.Out(dg.Nothing, is_required=False), "bad": dg.Out(dg.Nothing, is_required=False)},
    )
    def _stage(
        context: dg.OpExecutionContext,
        lake: LakeResource,
        registry: RegistryResource,
        router: RouterResource,
        clock: Clock,
    ) -> Iterator[dg.Output[None]]:
        if first and context.run.tags.get(ACTION) == "rollback":
            yield dg.Output(None, "bad", metadata={"why": context.run.tags.get(REASON, "asked for")})
            return
        with _told():
            result = run_stage(stage, _rollout(spec, context, lake, registry, router, clock))
        context.log.info("%s: %s", stage, result.reason)
        metadata = {"why": result.reason, **(_numbers(result.record) if result.record else {})}
        yield dg.Output(None, "ok" if result.ok else "bad", metadata=metadata)

    return _stage


def _promote_op(spec: ModelSpec) -> dg.OpDefinition:
    @dg.op(
        name=f"{spec.model}_promote",
        description="Alias champion, serving follows, all traffic to champion, alias challenger cleared.",
        ins={"before": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
    )
    def _promote(
        context: dg.OpExecutionContext,
        lake: LakeResource,
        registry: RegistryResource,
        router: RouterResource,
        clock: Clock,
    ) -> None:
        with _told():
            rollout = _rollout(spec, context, lake, registry, router, clock)

            def say(action: str, reason: str, evidence: dict[str, Any]) -> None:
                """A promotion is told before its rollout is closed: if a kill comes between, a rerun tells it again."""
                rollout.say(action, reason, evidence)
                if action == "promote":
                    context.log_event(_champion(spec, reason, evidence, rollout.router.read().state.history))

            end = promote(replace(rollout, say=say))
        context.log.info(end.reason)
        if (
            end.champion != end.version
        ):  # an alias was moved by hand meanwhile, and it was rolled back instead
            raise dg.Failure(description=end.reason, allow_retries=False)

    return _promote


def _rollback_op(spec: ModelSpec) -> dg.OpDefinition:
    @dg.op(
        name=f"{spec.model}_rollback",
        description="All traffic to champion first, then alias challenger cleared and the version tagged.",
        ins={"bad": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
    )
    def _rollback(
        context: dg.OpExecutionContext,
        lake: LakeResource,
        registry: RegistryResource,
        router: RouterResource,
        clock: Clock,
    ) -> None:
        with _told():
            rollout = _rollout(spec, context, lake, registry, router, clock)
            end = rollback(rollout, context.run.tags.get(REASON, "asked for"))
        context.log.warning("version %s rolled back: %s", end.version, end.reason)
        context.add_output_metadata({"why": end.reason, "steps": dg.MetadataValue.md(_history(end.history))})

    return _rollback


def _rollout(
    spec: ModelSpec,
    context: dg.OpExecutionContext,
    lake: LakeResource,
    registry: RegistryResource,
    router: RouterResource,
    clock: Clock,
) -> RolloutContext:
    """This run as the owner of the rollout; opens it, or takes it over, where that has not happened yet."""
    ledger, route, versions = lake.ledger(), router.of(spec), registry.of(spec)

    def say(action: str, reason: str, evidence: dict[str, Any]) -> None:
        context.log.info("%s: %s", action, reason)
        ledger.append(ledger_entry(spec.model, action, reason, evidence))

    rollout = RolloutContext(
        router=route,
        registry=versions,
        spec=spec.rollout,
        owner=context.run.run_id,
        champion_urls=spec.serving.champion_urls,
        challenger_urls=spec.serving.challenger_urls,
        say=say,
        now=lambda: clock.now().timestamp(),
    )
    state = route.read().state
    challenger, champion = versions.by_alias("challenger"), versions.by_alias("champion")
    known = state.challenger if state.phase.open or state.owner == context.run.run_id else None
    version = known or (challenger.version if challenger else None)
    if version is None:
        raise RolloutError("no version has alias challenger, and no rollout is open: nothing to roll out")
    opened = begin(
        rollout,
        version,
        champion.version if champion else None,
        force=context.run.tags.get(ACTION) == "rollback",
    )
    if (
        context.run.tags.get(ROLLOUT) != opened.rollout
    ):  # started by hand: the sensor finds its runs by this tag
        context.instance.add_run_tags(context.run.run_id, {ROLLOUT: opened.rollout})
    return rollout


@contextmanager
def _told() -> Iterator[None]:
    """What the rollout cannot do is said in its own words, without a stack trace before them."""
    try:
        yield
    except (RolloutError, RouterError) as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


def _champion(
    spec: ModelSpec, reason: str, evidence: dict[str, Any], history: tuple[StepRecord, ...]
) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        Names(spec.model).key("champion_alias"),
        description=reason,
        metadata={
            "version": evidence["challenger"],
            "rollout": evidence["rollout"],
            "before": evidence["champion"] or "none",
            "steps": dg.MetadataValue.md(_history(history)),
        },
    )


def _numbers(record: StepRecord) -> dict[str, Any]:
    judged = record.seen.shadow if record.weight == 0 else record.seen.challenger
    return {
        "challenger weight (%)": record.weight,
        "challenger requests": judged.sane.n,
        "challenger failures": judged.sane.k,
        "champion requests": record.seen.champion.sane.n,
        "champion failures": record.seen.champion.sane.k,
        "log e-value": record.log_e,
        "seconds": record.ended - record.started,
    }


def _history(history: tuple[StepRecord, ...]) -> str:
    if not history:
        return "no steps: there was no champion to compare with"
    lines = [
        "| stage | began (UTC) | seconds | challenger requests | failures | |",
        "|---|---|---|---|---|---|",
    ]
    for record in history:
        judged = (record.seen.shadow if record.weight == 0 else record.seen.challenger).sane
        began = f"{datetime.fromtimestamp(record.started, UTC):%Y-%m-%d %H:%M:%S}"
        seconds = f"{record.ended - record.started:.0f}"
        lines.append(f"| {record.stage} | {began} | {seconds} | {judged.n} | {judged.k} | {record.reason} |")
    return "\n".join(lines)
