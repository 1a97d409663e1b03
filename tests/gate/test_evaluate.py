"""The gate over a real registry and a real lake: two graphs of known quality on the same labelled days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper

from ct_assets.gate import GateDecision, RuleResult
from ct_assets.gate.evaluate import apply_decision, evaluate
from ct_assets.lake.layout import production_key
from ct_assets.lake.log import write_records
from ct_assets.lake.record import LABEL_LOG, feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.registry import Golden, Registry, write_bundle
from ct_assets.spec import ModelSpec

AS_OF = date(2026, 3, 13)
SPEC = ModelSpec(
    model="toy",
    entity="user",
    label="bad",
    label_delay_days=1,
    features={"signal": "numerical", "noise": "numerical"},
    training={"window_days": 5, "holdout_days": 2},
)


def _graph(signal: float, noise: float) -> bytes:
    """score = sigmoid(signal * x0 + noise * x1)."""
    nodes = [
        helper.make_node("MatMul", ["numerical", "w"], ["z"]),
        helper.make_node("Sigmoid", ["z"], ["p"]),
        helper.make_node("Squeeze", ["p", "axis"], ["score"]),
    ]
    held = [
        helper.make_tensor("w", TensorProto.FLOAT, [2, 1], [signal, noise]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
    ]
    given = helper.make_tensor_value_info("numerical", TensorProto.FLOAT, [None, 2])
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, [None])
    graph = helper.make_graph(nodes, "toy", [given], [score], held)
    return bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake, rng = Lake(f"file://{tmp_path / 'lake'}"), np.random.default_rng(0)
    for day in (date(2026, 3, 11), date(2026, 3, 12)):
        times = [
            datetime(day.year, day.month, day.day, tzinfo=UTC) + k * timedelta(minutes=4) for k in range(300)
        ]
        label = (rng.random(300) < 0.3).astype(float)
        ids = [f"{day}-{k}" for k in range(300)]
        rows = {
            "request_id": ids,
            "event_time": times,
            "received_at": times,
            "model_version": ["1"] * 300,
            "variant": ["champion"] * 300,
            "prediction": [0.5] * 300,
            "entity": ["u"] * 300,
            "signal": label + rng.normal(0, 0.3, 300),
            "noise": rng.normal(0, 1, 300),
        }
        lake.put_table(production_key("toy", day), pa.table(rows, schema=feature_log_schema(SPEC)))
        sent = {"request_id": ids, "label": label, "label_time": times, "received_at": times}
        write_records(lake, "labels", "toy", pa.table(sent, schema=LABEL_LOG), "label_time")
    return lake


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}", SPEC.registered_model)


def _publish(registry: Registry, folder: Path, graph: bytes, as_of: date, parity: str = "1e-07") -> str:
    onnx.checker.check_model(onnx.load_from_string(graph))
    bundle = write_bundle(
        folder, graph, numerical=["signal", "noise"], categorical=[], golden=Golden([], [], [])
    )
    run = registry.client.create_run(registry.experiment())
    registry.client.log_artifacts(run.info.run_id, str(folder), "model")
    registry.client.set_terminated(run.info.run_id)
    tags = {"ct.as_of": as_of.isoformat(), "ct.parity": parity, "ct.onnx_sha256": bundle.onnx_sha256}
    return registry.register(
        run_id=run.info.run_id, source=f"runs:/{run.info.run_id}/model", tags=tags
    ).version


def test_candidates_pass_or_fail_against_the_champion_of_the_day(
    registry: Registry, lake: Lake, tmp_path: Path
) -> None:
    """One story, one database: a first champion, a better one, a worse one."""
    dull, sharp, worse = _graph(1.0, 1.0), _graph(4.0, 0.0), _graph(0.0, 1.0)

    def judge(version: str) -> tuple[bool, str]:
        decision = evaluate(
            SPEC,
            lake=lake,
            registry=registry,
            version=version,
            as_of=AS_OF,
            work_dir=tmp_path / "w",
            backfill=False,
        )
        apply_decision(registry, version, decision)
        tags = registry.get(version).tags
        assert tags["ct.gate"] == ("passed" if decision.promote else "rejected")
        assert tags["ct.gate_reason"] == decision.reason
        return decision.promote, decision.reason

    first = _publish(registry, tmp_path / "1", dull, date(2026, 3, 1))
    promoted, reason = judge(first)
    assert not promoted
    assert "is below 0.91" in reason, "even a first champion must pass the absolute rule"
    assert registry.by_alias("challenger") is None

    registry.set_alias("champion", first)  # by hand, as a person may
    second = _publish(registry, tmp_path / "2", sharp, AS_OF)
    promoted, reason = judge(second)
    assert promoted, reason
    assert "beats champion 1" in reason
    assert registry.by_alias("challenger").version == second

    third = _publish(registry, tmp_path / "3", worse, AS_OF)
    promoted, reason = judge(third)
    assert not promoted
    assert "does not beat champion 1" in reason
    assert registry.by_alias("challenger").version == second, "a rejection moves nothing"

    registry.set_alias("champion", second)
    old = _publish(registry, tmp_path / "4", sharp, AS_OF, parity="0.5")
    promoted, reason = judge(old)
    assert not promoted
    assert all(check in reason for check in ("better_than_champion", "onnx_parity", "newer_than_champion"))


def test_what_a_decision_moves(registry: Registry, tmp_path: Path) -> None:
    first, second = (_publish(registry, tmp_path / name, _graph(1.0, 0.0), AS_OF) for name in "ab")
    passed = (RuleResult("auc_threshold", True, 0.95, 0.91, "AUC 0.95 reaches 0.91"),)
    failed = (RuleResult("auc_threshold", False, 0.80, 0.91, "AUC 0.80 is below 0.91"),)
    promotion = GateDecision(True, "AUC 0.95 reaches 0.91", passed)

    def outcome(
        version: str, decision: GateDecision, rolling_out: str | None = None
    ) -> tuple[str, str, str | None]:
        """Action, tag, and who is challenger then."""
        applied = apply_decision(registry, version, decision, rolling_out=rolling_out)
        tags, challenger = registry.get(version).tags, registry.by_alias("challenger")
        assert tags["ct.gate_reason"] == applied.reason
        return applied.action, tags["ct.gate"], challenger.version if challenger else None

    assert outcome(first, GateDecision(False, "too low", failed)) == ("reject", "rejected", None)
    assert outcome(first, GateDecision(False, "a backfill", passed)) == ("hold", "passed", None)
    assert outcome(first, promotion) == ("promote", "passed", first)
    assert outcome(second, promotion, rolling_out=first) == ("hold", "passed", first), (
        "an open rollout keeps it"
    )
    assert outcome(first, promotion, rolling_out=first) == ("promote", "passed", first), "its own rollout"
    assert outcome(second, promotion) == ("promote", "passed", second), "one that has not begun does not"
    registry.clear_alias("challenger")
    registry.set_alias("champion", second)
    assert outcome(second, promotion) == ("hold", "passed", None), "a champion is nobody's challenger"
