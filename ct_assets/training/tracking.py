"""One MLflow run around one training: it ends FINISHED, or FAILED, or KILLED, and is never left running by an error.

Only the client is used, no active run of the process: two trainings in one process do not mix.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ct_assets.registry import Registry, Version

__all__ = ["TrackedRun", "tracked_run"]

_MAX_TAG = 4_000


class TrackedRun:
    """A running MLflow run of one model's experiment."""

    def __init__(self, registry: Registry, run: Any) -> None:
        self._registry = registry
        self._client = registry.client
        self._started_ms = int(run.info.start_time)
        self.run_id = str(run.info.run_id)
        self.experiment_id = str(run.info.experiment_id)

    def log(
        self, *, parameters: Mapping[str, Any], metrics: Mapping[str, float], data_hash: str, data_source: str
    ) -> None:
        """Everything that is one value a name, in one request; and which data it was."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

        self._client.log_batch(
            self.run_id,
            metrics=[Metric(name, value, self._started_ms, 0) for name, value in metrics.items()],
            params=[Param(name, str(value)) for name, value in parameters.items()],
        )
        dataset = Dataset(
            name="labelled", digest=data_hash, source_type="lake", source=json.dumps({"uri": data_source})
        )
        self._client.log_inputs(
            self.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
        )

    def log_files(self, folder: Path) -> None:
        self._client.log_artifacts(self.run_id, str(folder))

    def register(self, folder: Path, *, tags: Mapping[str, str], description: str) -> Version:
        """Stores the bundle folder as this run's model, then makes a version of it.

        The source is the place itself: a `models:/` source is looked up through MLflow's process-wide address.
        """
        from mlflow.entities import LoggedModelOutput

        model = self._client.create_logged_model(
            self.experiment_id,
            name=self._registry.name,
            source_run_id=self.run_id,
            tags=_tags(tags),
            model_type="classifier",
        )
        self._client.log_model_artifacts(model.model_id, str(folder))
        self._client.finalize_logged_model(model.model_id, "READY")
        self._client.log_outputs(self.run_id, [LoggedModelOutput(model.model_id, 0)])
        version = self._registry.register(
            run_id=self.run_id,
            source=model.artifact_location,
            model_id=model.model_id,
            tags=_tags(tags),
            description=description,
        )
        link = [{"name": self._registry.name, "version": version.version}]
        self._client.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": json.dumps(link)})
        return version


@contextmanager
def tracked_run(registry: Registry, *, name: str, tags: Mapping[str, str]) -> Iterator[TrackedRun]:
    """Opens a run; whatever ends the block ends the run with it."""
    client = registry.client
    run = client.create_run(registry.experiment(), run_name=name, tags=_tags(tags))
    status = "KILLED"  # an interrupt; an error says FAILED below
    try:
        yield TrackedRun(registry, run)
        status = "FINISHED"
    except Exception as error:
        status = "FAILED"
        client.set_tag(run.info.run_id, "ct.error", f"{type(error).__name__}: {error}"[:_MAX_TAG])
        raise
    finally:
        client.set_terminated(run.info.run_id, status=status)


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: str(value)[:_MAX_TAG] for key, value in tags.items()}
