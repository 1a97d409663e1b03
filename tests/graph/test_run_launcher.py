"""Which runs are dead although Dagster calls them started; the servers here are real, if small."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import dagster as dg
import grpc
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.test_utils import create_run_for_test
from dagster._grpc.__generated__ import dagster_api_pb2
from dagster._grpc.__generated__.dagster_api_pb2_grpc import (
    DagsterApiServicer,
    add_DagsterApiServicer_to_server,
)
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value, serialize_value

from ct_assets.graph.run_launcher import WatchingRunLauncher

STARTED = dg.DagsterRunStatus.STARTED


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    overrides = {"run_launcher": {"module": "ct_assets.graph.run_launcher", "class": "WatchingRunLauncher"}}
    with dg.DagsterInstance.local_temp(
        str(tmp_path_factory.mktemp("dagster")), overrides=overrides
    ) as instance:
        yield instance


class CodeServer(DagsterApiServicer):
    """Knows one run, as the server that started it does."""

    def __init__(self) -> None:
        self.run_id = ""

    def CanCancelExecution(  # noqa: N802 - the name in the protocol
        self, request: dagster_api_pb2.CanCancelExecutionRequest, context: grpc.ServicerContext
    ) -> dagster_api_pb2.CanCancelExecutionReply:
        asked = deserialize_value(request.serialized_can_cancel_execution_request, CanCancelExecutionRequest)
        answer = serialize_value(CanCancelExecutionResult(can_cancel=asked.run_id == self.run_id))
        return dagster_api_pb2.CanCancelExecutionReply(serialized_can_cancel_execution_result=answer)


def started(instance: dg.DagsterInstance, **where: object) -> dg.DagsterRun:
    tags = {".dagster/grpc_info": json.dumps({"host": "localhost", **where})} if where else {}
    return create_run_for_test(instance, status=STARTED, tags=tags)


def health(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[WorkerStatus, str | None]:
    launcher = instance.run_launcher
    assert isinstance(launcher, WatchingRunLauncher)
    found = launcher.check_run_worker_health(run)
    return found.status, found.msg


def test_a_run_whose_code_server_was_killed_is_dead(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run = started(instance, socket=str(tmp_path / "gone"))
    assert health(instance, run) == (WorkerStatus.FAILED, "its code server is gone")


def test_a_run_lives_as_long_as_its_server_knows_it_and_dies_with_a_server_started_anew(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    service, server = CodeServer(), grpc.server(futures.ThreadPoolExecutor(1))
    add_DagsterApiServicer_to_server(service, server)
    server.add_insecure_port(f"unix:{tmp_path / 'socket'}")
    server.start()
    try:
        run = started(instance, socket=str(tmp_path / "socket"))
        service.run_id = run.run_id
        assert health(instance, run)[0] is WorkerStatus.RUNNING
        service.run_id = "another"
        assert health(instance, run) == (
            WorkerStatus.FAILED,
            "its code server does not know it: it was started anew",
        )
    finally:
        server.stop(None).wait()
    assert health(instance, run) == (WorkerStatus.FAILED, "its code server is gone")


def test_a_run_that_no_code_server_started_is_left_alone(instance: dg.DagsterInstance) -> None:
    assert health(instance, started(instance))[0] is WorkerStatus.RUNNING


def test_the_daemon_asks(instance: dg.DagsterInstance) -> None:
    assert instance.run_launcher.supports_check_run_worker_health
