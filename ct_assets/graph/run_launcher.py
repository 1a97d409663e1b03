"""Finds the runs of one machine that died with their code server, so that no work waits for them for ever.

Dagster's own launcher cannot tell: when everything is killed at once (kill -9, power), its runs stay STARTED, and
whoever asks "is this day being judged?" is told yes until somebody notices. With `run_monitoring` enabled the daemon
asks this launcher every `poll_interval_seconds`; a run that it calls dead fails, and its work is asked for again.
In `dagster.yaml`:

    run_launcher: {module: ct_assets.graph.run_launcher, class: WatchingRunLauncher}

A cluster's launcher (`K8sRunLauncher`) asks the cluster instead.
"""

from __future__ import annotations

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

__all__ = ["WatchingRunLauncher"]

GONE = "UNAVAILABLE"  # nobody listens there; a server that is only busy times out with another code


class WatchingRunLauncher(DefaultRunLauncher):
    """Runs are children of the code server that started them; one that is gone took them along."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """FAILED only where the server is gone, or does not know the run; what cannot be told counts as running."""
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "started by no code server")
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError as error:
            if GONE in str(error):
                return CheckRunHealthResult(WorkerStatus.FAILED, "its code server is gone")
            return CheckRunHealthResult(WorkerStatus.RUNNING, str(error))
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.FAILED, "its code server does not know it: it was started anew"
        )
