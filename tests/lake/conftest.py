"""What the lake's tests share: a small model, rows and labels written as serving writes them, a real S3 server."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
import pytest

from ct_assets.lake.log import write_records
from ct_assets.lake.record import LABEL_LOG, feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.spec import ModelSpec

KEYS = {"AWS_ACCESS_KEY_ID": "ct", "AWS_SECRET_ACCESS_KEY": "ct-secret", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    return ModelSpec(
        model="churn",
        entity="customer_id",
        label="left",
        features={"amount": "numerical", "plan": "categorical"},
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"file://{tmp_path / 'lake'}")


@pytest.fixture
def log_rows(lake: Lake, spec: ModelSpec) -> Callable[..., list[str]]:
    """Writes answered requests to the feature log, one object an hour; `rows` are (request id, event time, keys)."""

    def write(*rows: tuple[str, datetime] | tuple[str, datetime, dict[str, Any]]) -> list[str]:
        records = [
            {
                "request_id": row[0],
                "event_time": row[1],
                "received_at": row[1],
                "model_version": "1",
                "variant": "champion",
                "prediction": 0.5,
                "entity": "c1",
                "amount": 10.0,
                "plan": "basic",
                **(row[2] if len(row) == 3 else {}),
            }
            for row in rows
        ]
        table = pa.Table.from_pylist(records, schema=feature_log_schema(spec))
        return write_records(lake, "features", spec.model, table, "event_time")

    return write


@pytest.fixture
def log_labels(lake: Lake, spec: ModelSpec) -> Callable[..., list[str]]:
    """Writes labels; each is (request id, label, label time) and, where it matters, when it was received."""

    def write(*labels: tuple[str, int, datetime] | tuple[str, int, datetime, datetime]) -> list[str]:
        records = [
            {"request_id": row[0], "label": row[1], "label_time": row[2], "received_at": row[-1]}
            for row in labels
        ]
        table = pa.Table.from_pylist(records, schema=LABEL_LOG)
        return write_records(lake, "labels", spec.model, table, "label_time")

    return write


@pytest.fixture
def wipe(lake: Lake) -> Callable[[], None]:
    """Empties the lake: hypothesis runs many examples in one test."""
    return lambda: obstore.delete(lake.store, [item.key for item in lake.list("")])


@pytest.fixture
def at() -> Callable[..., datetime]:
    """An instant of May 2024: day, hour, minute."""
    return lambda day, hour=12, minute=0: datetime(2024, 5, day, hour, minute, tzinfo=UTC)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A SeaweedFS server with the bucket `lake`; gives the environment that reaches it."""
    home = tmp_path_factory.mktemp("weed")
    identity = {
        "name": "ct",
        "credentials": [{"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (home / "s3.json").write_text(json.dumps({"identities": [identity]}))
    parts = ("master", "volume", "filer", "s3")
    ports = {f"{part}.port{grpc}": _free_port() for part in parts for grpc in ("", ".grpc")}
    command = [
        str(Path(sys.executable).with_name("weed")),
        "server",
        "-s3",
        f"-dir={home}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-s3.port.iceberg=0",
        f"-s3.config={home / 's3.json'}",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=home, stdout=log, stderr=subprocess.STDOUT)
    try:
        environment = {
            **KEYS,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports['s3.port']}",
            "AWS_ALLOW_HTTP": "true",
        }
        _make_bucket(environment, deadline=time.monotonic() + 60)
        yield environment
    finally:
        server.kill()  # its state is thrown away, and a polite stop takes more than ten seconds
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_bucket(environment: dict[str, str], deadline: float) -> None:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
        config=Config(connect_timeout=1, read_timeout=5, retries={"max_attempts": 0}),
    )
    while True:
        try:
            client.create_bucket(Bucket="lake")
            return
        except (BotoCoreError, ClientError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
