"""`<model>/retrained_model`: a candidate as of a day, trained, exported, registered. The partition is the as-of date."""

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from ct_assets.graph.names import Names, daily_partitions
from ct_assets.ledger import Entry
from ct_assets.resources import Clock, LakeResource, RegistryResource, code_version
from ct_assets.spec import ModelSpec
from ct_assets.training import NotTrainable, Trained, retrain

__all__ = ["CANDIDATE", "REASON", "retrained_model", "training_days_mapping"]

CANDIDATE = "version"  # metadata key under which `evaluation` finds the candidate
REASON = "ct/reason"  # run tag: why this run was started, in words


def training_days_mapping(spec: ModelSpec) -> dg.TimeWindowPartitionMapping:
    """The upstream days of an as-of date: training window and holdout, all of them old enough to be labelled."""
    newest = spec.label_delay_days
    oldest = spec.training.window_days + spec.training.holdout_days + newest - 1
    return dg.TimeWindowPartitionMapping(
        start_offset=-oldest, end_offset=-newest, allow_nonexistent_upstream_partitions=True
    )


def retrained_model(spec: ModelSpec) -> dg.AssetsDefinition:
    """Daily; started by the drift sensor, by `ct retrain`, or by hand."""
    names = Names(spec.model)

    @dg.asset(
        key=names.key("retrained_model"),
        deps=[
            dg.AssetDep(names.key("production_features"), partition_mapping=training_days_mapping(spec)),
            dg.AssetDep(names.key("drift_report")),
            dg.AssetDep(names.key("labels")),
        ],
        partitions_def=daily_partitions(spec),
        group_name=spec.model,
        owners=list(spec.owners),
        kinds={"mlflow", "onnx", "scikitlearn"},
        description=f"A version of {spec.registered_model} trained on the {spec.training.window_days} days before its "
        f"holdout, the {spec.training.holdout_days} newest days whose labels were mature on the as-of date.",
        metadata={"trainer": spec.training.trainer, "seed": spec.training.seed},
    )
    def _retrained_model(
        context: dg.AssetExecutionContext, lake: LakeResource, registry: RegistryResource, clock: Clock
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the annotation, and knows the bare class only
        as_of = date.fromisoformat(context.partition_key)
        reason = context.run.tags.get(REASON, "started by hand")

        def record(action: str, why: str, version: str | None = None, **evidence: Any) -> None:
            lake.ledger().append(
                Entry(
                    at=clock.now(),
                    model=spec.model,
                    kind="training",
                    action=action,
                    reason=why,
                    day=str(as_of),
                    version=version,
                    run_id=context.run.run_id,
                    evidence=evidence,
                )
            )

        try:
            with tempfile.TemporaryDirectory() as folder:
                trained = retrain(
                    spec,
                    lake=lake.open(),
                    registry=registry.of(spec),
                    as_of=as_of,
                    trigger=reason,
                    code_version=code_version(),
                    run_id=context.run.run_id,
                    work_dir=Path(folder),
                    log=context.log.info,
                )
        except NotTrainable as error:
            record("refuse", str(error))
            raise dg.Failure(description=str(error), allow_retries=False) from error
        evidence = {"mlflow_run": trained.run_id, "metrics": dict(trained.metrics), "parity": trained.parity}
        record("train", reason, trained.version, **evidence)
        return dg.MaterializeResult(metadata=_metadata(trained, reason))

    return _retrained_model


def _metadata(trained: Trained, reason: str) -> dict[str, Any]:
    return {
        CANDIDATE: trained.version,
        "mlflow run": trained.run_id,
        "why": reason,
        "training window": f"{trained.window.train_start} .. {trained.window.train_end}",
        "holdout": f"{trained.window.holdout_start} .. {trained.window.holdout_end}",
        "dagster/row_count": trained.train_rows,
        "holdout rows": trained.holdout_rows,
        "data hash": trained.data_hash,
        "ONNX parity": trained.parity,
        **{name: float(value) for name, value in trained.metrics.items()},
        "seconds": dg.MetadataValue.json(dict(trained.seconds)),
        "found, not trained again": trained.reused,
    }
