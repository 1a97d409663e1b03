"""What the serving tests share: hand-made ONNX bundles whose scores are known, a registry in memory, a fixed clock."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from fastapi.testclient import TestClient

from ct_assets.lake.record import LABEL_LOG, feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.lake.tables import read_objects
from ct_assets.registry import BUNDLE_FILE, MODEL_FILE, Bundle, Golden, Version
from ct_assets.spec import ModelSpec, ServingSpec
from serving.app import Parts, create_app
from serving.settings import ServingSettings

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
ROW = {"transaction_amount": 120.5, "merchant_category": "travel", "hour_of_day": 14}
TRAVEL = 0.5


class Bundles:
    """Makes bundles of a spec with `transaction_amount`, `hour_of_day` and one categorical feature.

    They score sigmoid(bias + amount / 1000 + 0.5 if travel), whatever the other features say.
    """

    def __init__(self, folder: Path, spec: ModelSpec) -> None:
        self.folder = folder
        self.spec = spec

    @staticmethod
    def score(bias: float, row: dict[str, Any] = ROW) -> float:
        logit = (
            bias
            + (row["transaction_amount"] or 0) / 1_000
            + (TRAVEL if row["merchant_category"] == "travel" else 0)
        )
        return 1 / (1 + math.exp(-logit))

    def graph(self, bias: float, *, fragile: bool = False, output: str = "score") -> bytes:
        """The graph; where `fragile`, ONNX Runtime fails (index out of bounds) on an hour_of_day of 24 and more."""
        from onnx import TensorProto, checker, helper, numpy_helper

        numerical = self.spec.numerical
        weights = [[0.001 if name == "transaction_amount" else 0.0] for name in numerical]
        constants = {
            "weights": np.array(weights, dtype=np.float32),
            "bias": np.array([bias], dtype=np.float32),
            "zero": np.zeros(1, dtype=np.float32),
            "flat": np.array([-1], dtype=np.int64),
            "hours": np.zeros(24, dtype=np.float32),
            "hour_at": np.array([numerical.index("hour_of_day")], dtype=np.int64),
        }
        node = helper.make_node
        nodes = [
            node("IsNaN", ["numerical"], ["missing"]),
            node("Where", ["missing", "zero", "numerical"], ["numbers"]),
            node("MatMul", ["numbers", "weights"], ["linear"]),
            node("LabelEncoder", ["categorical"], ["category"], domain="ai.onnx.ml",
                 keys_strings=["travel"], values_floats=[TRAVEL], default_float=0.0),
            node("Sum", ["linear", "category", "bias"], ["logit"]),
        ]  # fmt: skip
        if fragile:
            nodes += [
                node("Gather", ["numbers", "hour_at"], ["hour"], axis=1),
                node("Cast", ["hour"], ["index"], to=TensorProto.INT64),
                node("Gather", ["hours", "index"], ["nothing"]),
                node("Add", ["logit", "nothing"], ["fragile"]),
            ]
        nodes += [
            node("Sigmoid", ["fragile" if fragile else "logit"], ["column"]),
            node("Reshape", ["column", "flat"], [output]),
        ]
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            nodes,
            "tiny",
            [
                value("numerical", TensorProto.FLOAT, ["rows", len(numerical)]),
                value("categorical", TensorProto.STRING, ["rows", 1]),
            ],
            [value(output, TensorProto.FLOAT, ["rows"])],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        checker.check_model(model)
        return model.SerializeToString()

    def write(self, name: str, bias: float = 0.0, *, body: bytes | None = None, **changes: Any) -> Path:
        """A bundle folder; `changes` replace members of its bundle.json."""
        body = self.graph(bias) if body is None else body
        bare = {"transaction_amount": None, "merchant_category": None}
        full: list[float | None] = [120.5 if n == "transaction_amount" else 14.0 for n in self.spec.numerical]
        golden = Golden(
            [full, [None] * len(full)], [["travel"], [None]], [self.score(bias), self.score(bias, bare)]
        )
        bundle = Bundle(
            list(self.spec.numerical), list(self.spec.categorical), hashlib.sha256(body).hexdigest(), golden
        )
        folder = self.folder / name
        folder.mkdir()
        (folder / MODEL_FILE).write_bytes(body)
        (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(msgspec.structs.replace(bundle, **changes)))
        return folder


@dataclass
class Shelf:
    """A registry in memory, which can be away."""

    versions: dict[str, Path] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    away: bool = False
    downloads: int = 0

    def by_alias(self, alias: str) -> Version | None:
        if self.away:
            raise ConnectionError("no route to the registry")
        version = self.aliases.get(alias)
        return Version(version, f"run-{version}", {}, NOW) if version else None

    def download(self, version: str, destination: Path) -> Path:
        self.downloads += 1
        return Path(shutil.copytree(self.versions[version], destination / version))


@dataclass
class Clock:
    """A clock that stands until it is set."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Room:
    """A running app, with all it touches."""

    client: TestClient
    parts: Parts
    shelf: Shelf
    clock: Clock
    lake: Lake
    spec: ModelSpec

    def predict(self, **changes: Any) -> Any:
        return self.client.post("/predict", json={"features": ROW} | changes)

    def stop(self) -> None:
        """Ends the app as SIGTERM does: what it logged is in the lake afterwards."""
        self.client.__exit__(None, None, None)

    def logged(self, log: str = "features") -> list[dict[str, Any]]:
        return read_log(self.lake, self.spec, log)

    def metric(self, name: str, **labels: str) -> float:
        value = self.parts.metrics.registry.get_sample_value(name, {"model": self.spec.model} | labels)
        return 0.0 if value is None else value


def read_log(lake: Lake, spec: ModelSpec, log: str) -> list[dict[str, Any]]:
    schema = feature_log_schema(spec) if log == "features" else LABEL_LOG
    return read_objects(lake, [o.key for o in lake.list(f"{log}/{spec.model}/")], schema).to_pylist()


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    """Three features; the log is flushed when the app stops, and the follower looks when a test says so."""
    return ModelSpec(
        model="fraud_detector",
        description="Card fraud, scored at authorisation.",
        entity="customer_id",
        label="is_fraud",
        features={
            "transaction_amount": "numerical",
            "merchant_category": "categorical",
            "hour_of_day": "numerical",
        },
        serving=ServingSpec(flush_rows=10_000, flush_s=3_600, follow_s=3_600),
    )


@pytest.fixture(scope="session")
def bundles_in() -> Callable[[Path, ModelSpec], Bundles]:
    """Makes bundles of any spec in a folder that outlives a test."""
    return Bundles


@pytest.fixture
def bundles(tmp_path: Path, spec: ModelSpec) -> Bundles:
    return Bundles(tmp_path, spec)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"file://{tmp_path / 'lake'}")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf(bundles: Bundles) -> Shelf:
    """Versions 1 (bias 0.1, champion) and 2 (bias 0.9)."""
    return Shelf({"1": bundles.write("one", 0.1), "2": bundles.write("two", 0.9)}, {"champion": "1"})


@pytest.fixture
def open_room(spec: ModelSpec, shelf: Shelf, lake: Lake, clock: Clock) -> Iterator[Callable[..., Room]]:
    """Starts apps whose follower has looked once; stops those that the test left running."""
    clients: list[TestClient] = []

    def opened(
        *,
        variant: str = "champion",
        settings: ServingSettings | None = None,
        with_spec: ModelSpec = spec,
        **more: Any,
    ) -> Room:
        app = create_app(
            with_spec,
            variant=variant,
            registry=shelf,
            lake=lake,
            clock=clock,
            settings=settings or ServingSettings(),
            **more,
        )
        app.state.parts.follower.tick()
        client = TestClient(app, base_url="http://testserver:8000", raise_server_exceptions=False)
        clients.append(client.__enter__())
        return Room(client, app.state.parts, shelf, clock, lake, with_spec)

    yield opened
    for client in clients:
        if client.portal is not None:
            client.__exit__(None, None, None)


@pytest.fixture
def room(open_room: Callable[..., Room]) -> Room:
    """A champion that serves version 1."""
    return open_room()
