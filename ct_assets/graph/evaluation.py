"""`<model>/evaluation`: the gate. Candidate and champion on the same later holdout; a pass names the challenger."""

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from ct_assets.gate import GateDecision, RuleResult
from ct_assets.gate.evaluate import Applied, apply_decision, evaluate
from ct_assets.graph.names import Names, daily_partitions
from ct_assets.graph.retrained_model import CANDIDATE, training_days_mapping
from ct_assets.ledger import Entry
from ct_assets.resources import Clock, LakeResource, RegistryResource, RouterResource
from ct_assets.spec import ModelSpec

__all__ = ["evaluation", "gate_checks"]

BACKFILL = "dagster/backfill"  # Dagster's tag on every run that a backfill started
DECISIONS = {"promote": "challenger", "reject": "rejected", "hold": "passed the rules, no alias moved"}


def gate_checks(spec: ModelSpec) -> dict[str, str]:
    """Check name -> description, one a rule of the gate."""
    return {
        "auc_threshold": f"AUC on the holdout at least {spec.gate.threshold:g}",
        "better_than_champion": f"AUC above the champion's on the same rows by more than {spec.gate.margin:g}",
        "onnx_parity": f"Exported graph within {spec.gate.parity_atol:g} of the native model on the holdout",
        "newer_than_champion": "As-of date later than the champion's",
    }


def evaluation(spec: ModelSpec) -> dg.AssetsDefinition:
    """Daily, with the as-of date of the candidate that it judges. A rejection is a red check on a green run."""
    names = Names(spec.model)
    partitions = daily_partitions(spec)
    key = names.key("evaluation")

    @dg.asset(
        key=key,
        deps=[
            dg.AssetDep(names.key("retrained_model")),
            dg.AssetDep(names.key("production_features"), partition_mapping=training_days_mapping(spec)),
            dg.AssetDep(names.key("labels")),
        ],
        partitions_def=partitions,
        check_specs=[
            dg.AssetCheckSpec(name, asset=key, description=text, partitions_def=partitions)
            for name, text in gate_checks(spec).items()
        ],
        group_name=spec.model,
        owners=list(spec.owners),
        kinds={"mlflow", "onnx"},
        description="Whether the candidate may become challenger: absolute and against the champion.",
        metadata={"metric": spec.gate.metric, "threshold": spec.gate.threshold, "margin": spec.gate.margin},
    )
    def _evaluation(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        registry: RegistryResource,
        router: RouterResource,
        clock: Clock,
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the annotation, and knows the bare class only
        as_of = date.fromisoformat(context.partition_key)
        versions = registry.of(spec)
        version = _candidate(context, names)
        with tempfile.TemporaryDirectory() as folder:
            decision = evaluate(
                spec,
                lake=lake.open(),
                registry=versions,
                version=version,
                as_of=as_of,
                backfill=BACKFILL in context.run.tags,
                work_dir=Path(folder),
            )
        route = router.of(spec).read().state
        applied = apply_decision(
            versions, version, decision, rolling_out=route.challenger if route.phase.open else None
        )
        lake.ledger().append(
            Entry(
                at=clock.now(),
                model=spec.model,
                kind="gate",
                action=applied.action,
                reason=applied.reason,
                day=str(as_of),
                version=version,
                run_id=context.run.run_id,
                evidence=decision.evidence,
            )
        )
        context.log.info("version %s: %s, %s", version, applied.action, applied.reason)
        return dg.MaterializeResult(
            metadata=_metadata(version, decision, applied),
            check_results=[_check(key, rule) for rule in decision.rules],
        )

    return _evaluation


def _candidate(context: dg.AssetExecutionContext, names: Names) -> str:
    """The version that this as-of date's newest training registered."""
    found = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(
            asset_key=names.key("retrained_model"), asset_partitions=[context.partition_key]
        ),
        limit=1,
    ).records
    if not found or found[0].asset_materialization is None:
        raise dg.Failure(
            description=f"no candidate as of {context.partition_key}: "
            f"materialize {names.model}/retrained_model of that day first",
            allow_retries=False,
        )
    return str(found[0].asset_materialization.metadata[CANDIDATE].value)


def _metadata(version: str, decision: GateDecision, applied: Applied) -> dict[str, Any]:
    lines = ["| rule | | value | threshold | |", "|---|---|---|---|---|"]
    for rule in decision.rules:
        value = "not computed" if rule.value is None else f"{rule.value:.4g}"
        limit = "" if rule.threshold is None else f"{rule.threshold:.4g}"
        lines.append(
            f"| {rule.check} | {'pass' if rule.passed else 'fail'} | {value} | {limit} | {rule.detail} |"
        )
    return {
        "decision": DECISIONS[applied.action],
        "why": applied.reason,
        CANDIDATE: version,
        "rules": dg.MetadataValue.md("\n".join(lines)),
        "evidence": dg.MetadataValue.json(decision.evidence),
    }


def _check(asset: dg.AssetKey, rule: RuleResult) -> dg.AssetCheckResult:
    """A rule that could not be computed is not passed either, but says nothing against the candidate: a WARN."""
    numbers = {"value": rule.value, "threshold": rule.threshold}
    outcome = "pass" if rule.passed else "inconclusive" if rule.inconclusive else "fail"
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=rule.check,
        passed=rule.passed,
        severity=dg.AssetCheckSeverity.WARN if rule.inconclusive else dg.AssetCheckSeverity.ERROR,
        description=rule.detail,
        metadata={
            "outcome": outcome,
            **{name: float(number) for name, number in numbers.items() if number is not None},
        },
    )
