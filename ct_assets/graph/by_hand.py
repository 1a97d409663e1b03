"""Starts the retraining job from the command line, in this process, on the Dagster instance of DAGSTER_HOME."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import dagster as dg

from ct_assets.graph.names import Names
from ct_assets.settings import Settings
from ct_assets.spec import ModelSpec

__all__ = ["retrain_now"]


def retrain_now(spec: ModelSpec, as_of: date, *, reason: str) -> bool:
    """Closes nothing and waits for nothing: trains on what the lake holds as of `as_of`, and asks the gate.

    The run shows in the UI of a `dagster dev` with the same DAGSTER_HOME (`make dev`: `.ct/dagster`, the default).
    """
    from ct_assets.definitions import defs

    home = Path(os.environ.setdefault("DAGSTER_HOME", str(Settings().home.absolute() / "dagster")))
    home.mkdir(parents=True, exist_ok=True)
    with dg.DagsterInstance.get() as instance:
        job = defs().resolve_job_def(Names(spec.model).retraining_job)
        result = job.execute_in_process(
            instance=instance, partition_key=as_of.isoformat(), tags={"ct/reason": reason}, raise_on_error=False
        )
    return result.success
