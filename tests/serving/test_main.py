"""The real process: uvicorn, MLflow on SQLite, a lake in a folder, signals."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ct_assets.catalog import load_spec
from ct_assets.lake.record import LABEL_LOG, feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.lake.tables import read_objects
from ct_assets.registry import Registry
from serving.app import create_app

SPEC = load_spec("fraud_detector")  # as it ships: the process reads the same file
ROW = {**dict.fromkeys(SPEC.features), "transaction_amount": 120.5, "merchant_category": "travel"}
BIAS = {"1": 0.1, "2": 0.9}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


class Client(threading.Thread):
    """Sends one request after the other on one connection until it is stopped or cut off; keeps every answer."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(daemon=True)
        self.port, self.number = port, number
        self.halt = threading.Event()
        self.answers: list[tuple[int, dict]] = []
        self.cut_off: Exception | None = None

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        count = 0
        try:
            while not self.halt.is_set():
                count += 1
                body = json.dumps({"request_id": f"{self.number}-{count}", "features": ROW})
                connection.request("POST", "/predict", body)
                answer = connection.getresponse()
                self.answers.append((answer.status, json.loads(answer.read())))
        except (OSError, http.client.HTTPException) as error:
            self.cut_off = error


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def bundles(home: Path, bundles_in):
    return bundles_in(home, SPEC)


@pytest.fixture(scope="module")
def registry(home: Path, bundles) -> Registry:
    """MLflow with versions 1 and 2; champion is 1. Made once: its database takes seconds."""
    registry = Registry(f"sqlite:///{home}/mlflow/mlflow.db", "fraud-detector")
    experiment = registry.experiment()
    for version, bias in BIAS.items():
        run_id = registry.client.create_run(experiment).info.run_id
        registry.client.log_artifacts(run_id, str(bundles.write(f"v{version}", bias)), "model")
        assert registry.register(run_id=run_id, source=f"runs:/{run_id}/model", tags={}).version == version
    registry.set_alias("champion", "1")
    return registry


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., tuple[subprocess.Popen, int]]]:
    """Starts `python -m serving` on a home of its own; ends it with the test."""
    processes: list[subprocess.Popen] = []

    def started(*arguments: str, **serving: float) -> tuple[subprocess.Popen, int]:
        overlay = home / "overlay.yaml"
        overlay.write_text(json.dumps({"fraud_detector": {"serving": serving}}))
        port = free_port()
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CT_", "MLFLOW_"))}
        environment |= {"CT_HOME": str(home), "CT_OVERLAY": str(overlay)}
        command = [
            sys.executable,
            "-m",
            "serving",
            "--model",
            "fraud_detector",
            "--port",
            str(port),
            *arguments,
        ]
        process = subprocess.Popen(
            command, env=environment, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process, port

    yield started
    for process in processes:
        process.kill()
        process.communicate()


def wait_for(port: int, path: str, met: Callable[[int, dict], bool], timeout_s: float = 60) -> dict:
    end = time.monotonic() + timeout_s
    last: object = None
    while time.monotonic() < end:
        try:
            last = get(port, path)
        except OSError as error:
            last = error
        else:
            if met(*last):
                return last[1]
        time.sleep(0.05)
    raise AssertionError(f"{path} of {port}: {last} after {timeout_s} s")


def test_no_request_fails_while_the_alias_moves_and_sigterm_writes_every_answered_one(
    registry, start, home, bundles
):
    process, port = start(
        "--shadow-port", str(shadow := free_port()), follow_s=0.1, flush_rows=1_000_000, flush_s=3_600
    )
    wait_for(port, "/healthz", lambda status, _: status == 200)
    wait_for(port, "/readyz", lambda status, _: status == 200)
    clients = [Client(port, n) for n in range(3)] + [Client(shadow, 3)]
    for client in clients:
        client.start()
    for version in ("2", "1", "2", "1", "2"):
        registry.set_alias("champion", version)
        wait_for(port, "/readyz", lambda status, body, v=version: status == 200 and body["version"] == v, 10)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/feedback", json.dumps([{"request_id": "0-1", "label": 1}]))
    assert connection.getresponse().status == 202
    assert not list((home / "lake").rglob("*.parquet")), "the logs are still in memory"

    process.send_signal(signal.SIGTERM)  # the clients go on sending
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    for client in clients:
        client.join(10)
        assert client.cut_off is not None
    answers = [answer for client in clients for answer in client.answers]
    assert {status for status, _ in answers} == {200}
    assert {body["model_version"] for _, body in answers} == {"1", "2"}
    for _, body in answers:
        assert body["prediction"] == pytest.approx(bundles.score(BIAS[body["model_version"]]), abs=1e-6), (
            "a mixed answer"
        )

    lake = Lake(f"file://{home}/lake")
    rows = read_objects(lake, [o.key for o in lake.list("features/")], feature_log_schema(SPEC)).to_pylist()
    logged = {row["request_id"]: (row["model_version"], row["variant"], row["prediction"]) for row in rows}
    assert len(logged) == len(rows), "a row was written twice"
    answered = {b["request_id"]: (b["model_version"], b["variant"], b["prediction"]) for _, b in answers}
    assert answered.items() <= logged.items()
    assert len(logged) - len(answered) <= len(clients), (
        "at most the one request of each client that was cut off"
    )
    assert {row["variant"] for row in rows if row["request_id"].startswith("3-")} == {"shadow"}
    labels = read_objects(lake, [o.key for o in lake.list("labels/")], LABEL_LOG).to_pylist()
    assert [row["request_id"] for row in labels] == ["0-1"]


def test_a_challenger_follows_its_alias_in_a_real_registry(registry, lake):
    app = create_app(SPEC, variant="challenger", registry=registry, lake=lake)
    follower = app.state.parts.follower
    follower.tick()
    assert follower.detail == "no model has alias challenger yet"
    registry.set_alias("challenger", "2")
    follower.tick()
    assert (follower.served.version, follower.served.run_id) == ("2", registry.get("2").run_id)
    registry.clear_alias("challenger")
    follower.tick()
    assert follower.served is None
    assert follower.detail == "no model has alias challenger any more; version 2 was withdrawn"


def test_a_port_in_use_ends_the_start_with_the_reason(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process, _ = start("--shadow-port", str(taken.getsockname()[1]))
        _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "end the process that holds the port" in said


def test_serving_loads_neither_dagster_nor_a_registry_nor_a_runtime_before_it_listens():
    heavy = ["dagster", "mlflow", "onnxruntime", "sklearn", "pandas", "polars", "evidently"]
    code = f"import serving.main, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
