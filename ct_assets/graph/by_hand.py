"""Starts the retraining job from the command line, in this process, on the Dagster instance of DAGSTER_HOME."""

from __future__ import annotations

import os
import shutil
import warnings
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg

from ct_assets.graph.names import Names, daily_partitions
from ct_assets.settings import Settings
from ct_assets.spec import ModelSpec

__all__ = ["NotRetrained", "Retrained", "retrain_now"]

INSTANCE = Path(__file__).parents[2] / "dagster.yaml"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # the run's own log has it all


class NotRetrained(RuntimeError):
    """There is no candidate: says why."""


@dataclass(frozen=True, slots=True)
class Retrained:
    """A candidate, and what the gate said."""

    version: str
    decision: str
    """`challenger`, `rejected` or why no alias moved."""
    why: str
    run_id: str
    """Dagster's."""


def retrain_now(spec: ModelSpec, as_of: date, *, reason: str) -> Retrained:
    """Closes nothing and waits for nothing: trains on what the lake holds as of `as_of`, and asks the gate.

    The run shows in the UI of a `dagster dev` with the same DAGSTER_HOME (`make dev`: `.ct/dagster`, the default).

    Raises:
        NotRetrained: where `as_of` is no day of the model, or its rows cannot train one. The ledger says so too.
    """
    days = daily_partitions(spec)
    if not days.has_partition_key(as_of.isoformat()):
        raise NotRetrained(
            f"{as_of} is no as-of day of {spec.model}: it takes UTC days that are over, "
            f"from {spec.history_start} (history_start) to {days.get_last_partition_key()}"
        )
    _prepare_home()
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    names = Names(spec.model)
    with warnings.catch_warnings(), dg.DagsterInstance.get() as instance:
        warnings.simplefilter("ignore", dg.BetaWarning)
        from ct_assets.definitions import defs

        job = defs().resolve_job_def(names.retraining_job)
        try:
            result = job.execute_in_process(
                instance=instance,
                partition_key=as_of.isoformat(),
                tags={"ct/reason": reason},
                run_config=QUIET,
            )
        except dg.Failure as error:
            raise NotRetrained(f"{error.description}{_unclosed(spec, as_of)}") from error
    (judged,) = (
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == names.key("evaluation")
    )
    said = {key: str(judged.metadata[key].value) for key in ("version", "decision", "why")}
    return Retrained(**said, run_id=result.run_id)


def _prepare_home() -> None:
    """The instance is configured as `make dev` does it: above all, nothing leaves the machine."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(Settings().home.absolute() / "dagster")))
    home.mkdir(parents=True, exist_ok=True)
    if INSTANCE.exists() and not (home / "dagster.yaml").exists():
        shutil.copy(INSTANCE, home / "dagster.yaml")


def _unclosed(spec: ModelSpec, as_of: date) -> str:
    """What a person may have overlooked: only days whose production_features are in the lake hold rows."""
    from ct_assets.lake.layout import production_key
    from ct_assets.lake.store import Lake
    from ct_assets.training import TrainingWindow

    days = TrainingWindow.of(spec, as_of).days()
    held = {item.key for item in Lake(Settings().lake).list(f"production/{spec.model}/")}
    unclosed = sum(production_key(spec.model, day) not in held for day in days)
    if not unclosed:
        return ""
    return f" ({unclosed} of its {len(days)} days are not closed yet: a running Dagster, `make dev`, closes days)"
