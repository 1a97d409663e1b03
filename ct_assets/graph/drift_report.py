"""`<model>/drift_report`: a day judged against the reference window; one asset check a rule."""

import base64
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from ct_assets.drift import DriftVerdict, Outcome, RuleVerdict
from ct_assets.drift.archive import read_verdicts, store_verdict
from ct_assets.drift.monitor import JudgedDay, Monitor
from ct_assets.drift.plot import DAYS, plot
from ct_assets.drift.report import html_report
from ct_assets.drift.table import markdown_table
from ct_assets.graph.names import Names, daily_partitions
from ct_assets.lake.layout import report_key
from ct_assets.lake.window import days_between
from ct_assets.ledger import Entry
from ct_assets.resources import Clock, LakeResource, RegistryResource
from ct_assets.spec import ModelSpec

__all__ = ["check_specs", "drift_report"]


def check_specs(spec: ModelSpec) -> list[dg.AssetCheckSpec]:
    """One check a rule of the drift contract, one for the share of drifted columns, one for the predictions."""
    drift = spec.drift
    said = {
        rule.check: f"{rule.method} of {rule.feature} against the reference; threshold {rule.threshold:g}"
        for rule in drift.rules
    }
    said["drifted_share"] = f"Share of drifted features below {drift.max_drifted_share:g}"
    if drift.prediction:
        said["prediction_drift"] = (
            f"PSI of the champion's scores against its holdout; threshold {drift.prediction.threshold:g}"
        )
    asset = Names(spec.model).key("drift_report")
    partitions = daily_partitions(spec)
    return [
        dg.AssetCheckSpec(name, asset=asset, description=text, partitions_def=partitions)
        for name, text in said.items()
    ]


def drift_report(spec: ModelSpec) -> dg.AssetsDefinition:
    """Daily; a range of days is one run with a check result a day."""
    names = Names(spec.model)
    checks = check_specs(spec)

    @dg.asset(
        key=names.key("drift_report"),
        deps=[names.key("production_features")],
        partitions_def=daily_partitions(spec),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=checks,
        group_name=spec.model,
        owners=list(spec.owners),
        kinds={"evidently"},
        description=f"Drift verdict over the trailing {spec.drift.window_days} day(s), with Evidently's report.",
        metadata={"reference": spec.drift.reference, "guard": spec.drift.guard},
    )
    def _drift_report(
        context: dg.AssetExecutionContext, lake: LakeResource, registry: RegistryResource, clock: Clock
    ) -> Iterator[Any]:
        store, ledger = lake.open(), lake.ledger()
        monitor = Monitor(store, spec, registry.of(spec).by_alias("champion"))
        days = [date.fromisoformat(key) for key in context.partition_keys]
        # Read once: each day's picture shows the month that ends with it.
        known = read_verdicts(
            store, spec.model, days_between(min(days) - timedelta(days=DAYS - 1), max(days))
        )
        verdicts: dict[str, DriftVerdict] = {}
        for day in sorted(days):
            judged = monitor.judge_day(day, evaluated_at=clock.now())
            verdict = judged.verdict
            html = _html(context, spec, judged)
            store_verdict(store, verdict, html)
            ledger.append(_ledger_row(verdict, context.run.run_id))
            known[day] = verdicts[str(day)] = verdict
            context.log.info("%s: %s, %s", day, verdict.outcome, verdict.reason)
            past = [known[d] for d in days_between(day - timedelta(days=DAYS - 1), day) if d in known]
            shown = _picture(context, past)
            if html is not None:
                shown["report"] = dg.MetadataValue.url(lake.location(report_key(spec.model, day)))
            context.add_asset_metadata(
                {**_metadata(verdict), **shown}, asset_key=context.asset_key, partition_key=str(day)
            )
        yield dg.MaterializeResult()
        _record_checks(context, verdicts)
        for check in checks:
            yield dg.Output(None, output_name=check.get_python_identifier())

    return _drift_report


def _ledger_row(verdict: DriftVerdict, run_id: str) -> Entry:
    return Entry(
        at=verdict.evaluated_at,
        model=verdict.model,
        kind="drift",
        action=str(verdict.outcome),
        reason=verdict.reason,
        day=str(verdict.day),
        version=verdict.champion,
        run_id=run_id,
        evidence={rule.check: {"outcome": str(rule.outcome), "value": rule.value} for rule in verdict.rules},
    )


def _html(context: dg.AssetExecutionContext, spec: ModelSpec, judged: JudgedDay) -> bytes | None:
    """Evidently's page; a page that could not be made is told, and never costs the verdict."""
    try:
        return html_report(spec, judged.current, judged.reference, verdict=judged.verdict)
    except Exception:
        context.log.exception("no HTML report of %s; the verdict stands without it", judged.verdict.day)
        return None


def _picture(context: dg.AssetExecutionContext, past: list[DriftVerdict]) -> dict[str, Any]:
    """The month as a picture, under the same terms as the page."""
    try:
        encoded = base64.b64encode(plot(past)).decode()
    except Exception:
        context.log.exception("no picture of the last %d days; the verdict stands without it", DAYS)
        return {}
    return {f"last {DAYS} days": dg.MetadataValue.md(f"![drift by rule](data:image/png;base64,{encoded})")}


def _metadata(verdict: DriftVerdict) -> dict[str, Any]:
    return {
        "outcome": str(verdict.outcome),
        "why": verdict.reason,
        "rules": dg.MetadataValue.md(markdown_table(verdict)),
        "dagster/row_count": verdict.rows,
        "reference rows": verdict.reference_rows,
        "judged against": verdict.champion or "no champion (hypothetical reference)",
        "fingerprint": verdict.fingerprint,
    }


def _record_checks(context: dg.AssetExecutionContext, verdicts: Mapping[str, DriftVerdict]) -> None:
    """Logs each check under its own day: a result yielded from a ranged run would carry no partition."""
    found = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=context.asset_key, asset_partitions=list(verdicts)),
        limit=len(verdicts) * 2,
    )
    seen: set[str] = set()
    for record in found.records:  # newest first
        key = record.partition_key
        if key is None or key in seen or record.run_id != context.run.run_id:
            continue
        seen.add(key)
        target = AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for rule in verdicts[key].rules:
            context.log_event(_evaluation(context.asset_key, key, verdicts[key], rule, target))


def _evaluation(
    asset: dg.AssetKey,
    day: str,
    verdict: DriftVerdict,
    rule: RuleVerdict,
    target: AssetCheckEvaluationTargetMaterializationData,
) -> dg.AssetCheckEvaluation:
    """Drift is an ERROR; what could not be judged, or is a fault of the data, is a WARN: nothing to retrain on."""
    numbers = {
        "value": rule.value,
        "threshold": rule.threshold,
        "effect": rule.effect,
        "noise floor": rule.noise_floor,
    }
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=rule.check,
        partition=day,
        passed=rule.outcome is Outcome.PASS,
        severity=dg.AssetCheckSeverity.ERROR if rule.outcome is Outcome.DRIFT else dg.AssetCheckSeverity.WARN,
        description=rule.reason,
        target_materialization_data=target,
        metadata={
            "outcome": str(rule.outcome),
            "contract verdict": str(rule.contract),
            "guard agrees": "not asked" if rule.guard is None else str(rule.guard).lower(),
            "judged against": verdict.champion or "hypothetical reference",
            **{name: float(value) for name, value in numbers.items() if value is not None},
        },
    )
