"""What the demo makes of a story: every expectation can fail, alone, and a number that is not there is null."""

from __future__ import annotations

import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from ct_assets.catalog import load_spec
from ct_assets.demo.deployment import MODEL, Deployment, Timeline
from ct_assets.demo.findings import find
from ct_assets.demo.fraud_traffic import FraudTraffic, generate
from ct_assets.demo.registry_look import look, newest_week
from ct_assets.demo.scenarios import SCENARIOS
from ct_assets.demo.story import Played
from ct_assets.demo.traffic_client import Answers
from ct_assets.demo.verdict import ScenarioVerdict
from ct_assets.demo.watch import Watch
from ct_assets.drift import DriftVerdict, Outcome, RuleVerdict
from ct_assets.drift.archive import store_verdict
from ct_assets.embedded.ports import Ports
from ct_assets.lake.store import Lake
from ct_assets.ledger import Entry, Ledger
from ct_assets.registry import Golden, Version
from ct_assets.registry.bundle import write_bundle
from ct_assets.rollout.routers.envoy import EnvoyRouter
from ct_assets.rollout.state import Count, Phase, RouteState, Seen, Stage, StepRecord

LIVE = date(2024, 5, 20)
NOW = datetime(2024, 5, 21, 7, tzinfo=UTC)
PLAN = (Stage("shadow", 0, 100), Stage("canary_10", 10), Stage("canary_50", 50), Stage("canary_100", 100))


def graph(sign: float) -> bytes:
    """Scores by the amount alone: frauds are dearer, so a positive sign is a fair model, a negative a poor one."""
    from onnx import TensorProto, helper, numpy_helper

    spec = load_spec(MODEL)
    weights = np.array(
        [[sign * 0.01 * (name == "transaction_amount")] for name in spec.numerical], np.float32
    )
    constants = {"w": weights, "zero": np.zeros(1, np.float32), "flat": np.array([-1], np.int64)}
    nodes = [
        helper.make_node("IsNaN", ["numerical"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "numerical"], ["numbers"]),
        helper.make_node("MatMul", ["numbers", "w"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["column"]),
        helper.make_node("Reshape", ["column", "flat"], ["score"]),
    ]
    value, numbers, texts = helper.make_tensor_value_info, len(spec.numerical), len(spec.categorical)
    inputs = [
        value("numerical", TensorProto.FLOAT, ["n", numbers]),
        value("categorical", TensorProto.STRING, ["n", texts]),
    ]
    outputs = [value("score", TensorProto.FLOAT, ["n"])]
    initial = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    made = helper.make_graph(nodes, "by_amount", inputs, outputs, initial)
    return helper.make_model(
        made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()


@dataclass
class Shelf:
    """The registry's aliases, and version 1 (poor) and 2 (fair) on disk."""

    folder: Path
    newest: int = 2
    aliases: dict[str, str] = field(default_factory=lambda: {"champion": "1"})

    def __post_init__(self) -> None:
        spec = load_spec(MODEL)
        for version, sign in (("1", -1.0), ("2", 1.0)):
            names = {"numerical": list(spec.numerical), "categorical": list(spec.categorical)}
            write_bundle(self.folder / version, graph(sign), **names, golden=Golden([], [], []))

    def by_alias(self, alias: str) -> Version | None:
        named = self.aliases.get(alias)
        return Version(named, "", {}, NOW) if named else None

    def versions(self) -> list[Version]:
        return [Version(str(n), "", {}, NOW) for n in range(self.newest, 0, -1)]

    def download(self, version: str, destination: Path) -> Path:
        return Path(shutil.copytree(self.folder / version, destination / version))


class Champion:
    """The champion's endpoint: `GET /readyz` says which version it serves."""

    def __init__(self) -> None:
        self.version = "1"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps({"version": outer.version}).encode())

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@dataclass
class World:
    """A deployment after a story, each part as the loop leaves it; tests change one thing."""

    lake: Lake
    shelf: Shelf
    endpoint: Champion
    deployment: Deployment
    rows: pl.DataFrame
    ends_with: str
    played: Played
    route: RouteState = field(default_factory=RouteState)

    @property
    def scenario(self) -> Any:
        return next(s for s in SCENARIOS.values() if s.ends_with == self.ends_with)

    def say(self, kind: str, action: str, reason: str = "because") -> None:
        Ledger(self.lake).append(Entry(at=NOW, model=MODEL, kind=kind, action=action, reason=reason))

    def judge(self, day: date, outcome: Outcome) -> None:
        rule = RuleVerdict(
            check="psi_transaction_amount",
            feature="transaction_amount",
            method="psi",
            value=0.3,
            threshold=0.2,
            contract=outcome,
            outcome=outcome,
            reason="",
        )
        verdict = DriftVerdict(
            model=MODEL,
            day=day,
            window_start=day,
            window_end=day,
            fingerprint="f",
            champion="1",
            hypothetical=False,
            reference="a sample",
            rows=10,
            reference_rows=10,
            rules=(rule,),
            outcome=outcome,
            reason="",
            evaluated_at=NOW,
        )
        store_verdict(self.lake, verdict, None)

    def find(self) -> ScenarioVerdict:
        router = EnvoyRouter(self.deployment.routes, "http://127.0.0.1:1")
        router.write(self.route, router.initialise().version)
        watch = Watch(self.lake, MODEL, NOW - timedelta(minutes=1))
        story: Any = SimpleNamespace(
            scenario=self.scenario, timeline=Timeline(LIVE), watch=watch, rows=self.rows
        )
        registry: Any = self.shelf
        return find(story, self.played, self.deployment, look(registry, newest_week(self.rows, LIVE)))


def record(stage: Stage, *, n: int, k: int = 0, passed: bool = True) -> StepRecord:
    seen = Seen(shadow=Count(n, k)) if stage.shadow else Seen(challenger=Count(n, k))
    return StepRecord(stage.name, stage.weight, 100.0, 105.3, seen, 0.0, passed, "told why")


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return generate(FraudTraffic(LIVE - timedelta(days=6), 8, seed=3, tx_per_day=300))


@pytest.fixture
def world(tmp_path: Path, rows: pl.DataFrame) -> Iterator[Callable[[str], World]]:
    """Builds the world in which a story ended well."""
    endpoint = Champion()
    ports = Ports(champion=endpoint.server.server_address[1])
    deployment = Deployment(tmp_path, ports, 0, 0, date(2024, 1, 1), 21_600.0)
    answers = Answers(served=2_000, labels=500, by_version=Counter({"1": 2_000}))

    def build(ends_with: str) -> World:
        played = Played(answers, ends_with, {"replay": 12.345}, {"champion": 1})
        lake, shelf = Lake(f"file://{tmp_path / 'lake'}"), Shelf(tmp_path / "models")
        made = World(lake, shelf, endpoint, deployment, rows, ends_with, played)
        for back in range(14):
            made.judge(LIVE - timedelta(days=back), Outcome.PASS)
        if ends_with == "held":
            shelf.newest = 1
            made.say("trigger", "hold", "no drift")
            return made
        made.judge(LIVE, Outcome.DRIFT)
        made.say("trigger", "retrain", "drift")
        made.say("training", "train")
        made.say("gate", "promote", "better")
        if ends_with == "promoted":
            made.say("rollout", "promote", "all stages passed")
            made.route = RouteState(plan=PLAN, history=tuple(record(stage, n=300) for stage in PLAN))
            shelf.aliases["champion"] = endpoint.version = "2"
        else:
            made.say("rollout", "rolled_back", "errors")
            made.route = RouteState(plan=PLAN, history=(record(PLAN[0], n=60, k=6, passed=False),))
        return made

    yield build
    endpoint.server.shutdown()
    endpoint.server.server_close()


@pytest.mark.parametrize("ends_with", ["held", "promoted", "rolled_back"])
def test_a_story_that_went_as_told_is_ok(world: Callable[[str], World], ends_with: str) -> None:
    verdict = world(ends_with).find()
    assert [check.name for check in verdict.expectations if not check.ok] == []
    assert verdict.ok
    assert verdict.seconds == {"replay": 12.3}
    assert verdict.restarts == {"champion": 1}
    assert (verdict.requests.served, verdict.requests.failed, verdict.requests.labels) == (2_000, 0, 500)


SPOILT: list[tuple[str, str, Callable[[World], object]]] = [
    ("held", "the loop ended as told", lambda w: setattr(w.played, "ended", "nothing ended within 240 s")),
    ("held", "no request of a user failed", lambda w: w.played.answers.fail("503 no model")),
    ("held", "no request of a user failed", lambda w: setattr(w.played.answers, "served", 0)),
    ("held", "all 14 days judged, none red", lambda w: w.judge(LIVE - timedelta(days=5), Outcome.DRIFT)),
    ("held", "all 14 days judged, none red", lambda w: shutil.rmtree(w.deployment.lake / "drift")),
    ("held", "nothing retrained", lambda w: w.say("training", "train", "for no reason")),
    ("held", "the champion stays", lambda w: setattr(w.endpoint, "version", "2")),
    ("promoted", "the live day is red", lambda w: w.judge(LIVE, Outcome.PASS)),
    ("promoted", "retrained once", lambda w: w.say("training", "train", "twice")),
    ("promoted", "the candidate passed the gate", lambda w: w.say("gate", "reject", "later, and worse")),
    ("promoted", "alias challenger is clear", lambda w: w.shelf.aliases.update(challenger="2")),
    ("promoted", "every stage passed", lambda w: setattr(w, "route", RouteState(plan=PLAN))),
    ("promoted", "the new version is champion, and served", lambda w: setattr(w.endpoint, "version", "1")),
    ("promoted", "the new version is champion, and served", lambda w: w.shelf.aliases.update(champion="1")),
    ("promoted", "it is better on the newest week", lambda w: write_worse(w.shelf)),
    (
        "rolled_back",
        "the challenger's failures were seen",
        lambda w: setattr(w, "route", RouteState(plan=PLAN)),
    ),
    ("rolled_back", "the champion stays", lambda w: w.shelf.aliases.update(champion="2")),
    ("rolled_back", "all traffic is on the champion", lambda w: setattr(w, "route", left_at_10(w.route))),
]


def write_worse(shelf: Shelf) -> None:
    shutil.rmtree(shelf.folder / "2")
    shutil.copytree(shelf.folder / "1", shelf.folder / "2")


def left_at_10(route: RouteState) -> RouteState:
    return RouteState(plan=route.plan, history=route.history, weight=10, phase=Phase.STAGE)


@pytest.mark.parametrize(
    ("ends_with", "expectation", "spoil"), SPOILT, ids=[f"{s[0]}: {s[1]}" for s in SPOILT]
)
def test_one_thing_that_went_wrong_fails_its_expectation_and_no_other(
    world: Callable[[str], World], ends_with: str, expectation: str, spoil: Callable[[World], object]
) -> None:
    made = world(ends_with)
    spoil(made)
    verdict = made.find()
    assert not verdict.ok
    assert [check.name for check in verdict.expectations if not check.ok] == [expectation]
    assert next(check.detail for check in verdict.expectations if not check.ok)


def test_every_expectation_is_one_of_those_that_the_test_above_can_fail(
    world: Callable[[str], World],
) -> None:
    for ends_with in ("held", "promoted", "rolled_back"):
        spoilt = {name for _, name, _ in SPOILT}
        assert {check.name for check in world(ends_with).find().expectations} <= spoilt


def test_steps_count_the_requests_that_their_stage_was_judged_by(world: Callable[[str], World]) -> None:
    (step,) = world("rolled_back").find().steps
    assert (step.stage, step.weight_percent, step.seconds) == ("shadow", 0, 5.3)
    assert (step.challenger_requests, step.challenger_errors, step.passed) == (60, 6, False)
    assert [(s.stage, s.challenger_requests) for s in world("promoted").find().steps][1] == ("canary_10", 300)


def test_the_failures_that_users_never_saw_are_counted(world: Callable[[str], World]) -> None:
    assert world("rolled_back").find().requests.challenger_failures_hidden == 6


def test_a_new_version_is_scored_on_the_newest_week_and_none_is_null(world: Callable[[str], World]) -> None:
    promoted, held = world("promoted").find().auc, world("held").find().auc
    assert promoted.rows == held.rows == 7 * 300  # what came after the live day is not in it
    assert promoted.old_champion is not None
    assert promoted.new_version is not None
    assert promoted.old_champion < 0.5 < promoted.new_version < promoted.ceiling <= 1
    assert held.new_version is None


def test_a_story_that_stopped_half_way_says_what_it_came_to_and_invents_nothing(
    world: Callable[[str], World], tmp_path: Path
) -> None:
    made = world("promoted")
    made.played.ended = "nothing ended within 240 s"
    shutil.rmtree(tmp_path / "lake" / "ledger")
    shutil.rmtree(tmp_path / "lake" / "drift")
    verdict = made.find()
    assert not verdict.ok
    assert (verdict.trigger, verdict.gate, verdict.rollout) == ("none was taken", None, None)
    assert (verdict.drifted, verdict.steps) == ([], [])
