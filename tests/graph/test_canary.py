"""The rollout job and its sensor, with a real Envoy before two small servers that follow the real registry."""

from __future__ import annotations

import importlib
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from msgspec.structs import replace

from ct_assets.embedded.ports import HOST, free_ports
from ct_assets.graph.canary import ACTION, ROLLOUT
from ct_assets.graph.canary_sensor import run_facts
from ct_assets.registry import Registry
from ct_assets.rollout import Addresses, Phase, RolloutContext, RouteState, begin, envoy

JOB, SENSOR = "toy_canary_rollout", "toy_canary_sensor"
SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
NEVER = "http://127.0.0.1:1"


class Upstream(ThreadingHTTPServer):
    """Serves the version of one alias, as the serving process does."""

    daemon_threads = True

    def __init__(self, registry: Registry, alias: str, port: int) -> None:
        self.registry, self.alias = registry, alias
        super().__init__((HOST, port), _Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        version = self.server.registry.by_alias(self.server.alias)
        self._send(200 if version else 503, {"version": version.version if version else None})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._send(200, {"by": self.server.alias})

    def _send(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def handle(self) -> None:
        with suppress(ConnectionError):  # Envoy is killed while it keeps connections
            super().handle()

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Stack:
    """A world whose traffic passes a real Envoy."""

    world: Any
    url: str

    @property
    def route(self) -> RouteState:
        state: RouteState = self.world.resources["router"].of(self.world.spec).read().state
        return state

    def champions(self) -> list[dict[str, Any]]:
        """Reported champions, newest first."""
        found = self.world.instance.fetch_materializations(
            self.world.names.key("champion_alias"), limit=9
        ).records
        return [{k: v.value for k, v in r.asset_materialization.metadata.items()} for r in found]

    def rollout(self, owner: str) -> RolloutContext:
        spec = self.world.spec
        return RolloutContext(
            router=self.world.resources["router"].of(spec),
            registry=self.world.registry,
            spec=spec.rollout,
            owner=owner,
            champion_urls=spec.serving.champion_urls,
            challenger_urls=spec.serving.challenger_urls,
        )

    @contextmanager
    def traffic(self) -> Iterator[list[int]]:
        """Predictions at some 100 a second; yields the statuses."""
        statuses: list[int] = []
        over = threading.Event()

        def send() -> None:
            while not over.is_set():
                request = urllib.request.Request(f"{self.url}/predict", data=b"{}")
                with urllib.request.urlopen(request, timeout=5) as answer:
                    statuses.append(answer.status)
                time.sleep(0.01)  # the rate, not a wait

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield statuses
        finally:
            over.set()
            thread.join()


@pytest.fixture
def real_time(monkeypatch: pytest.MonkeyPatch, make_world: Any) -> Callable[..., Any]:
    def make(**rollout: Any) -> Any:
        monkeypatch.setenv("CT_TEST_CLOCK", "")
        return make_world(champion=False, lake=False, **rollout)

    return make


@pytest.fixture
def stack(real_time: Callable[..., Any], tmp_path: Path) -> Iterator[Stack]:
    router, admin, champion, challenger, shadow = free_ports(5)
    world = real_time(
        rollout={
            "steps": [50, 100],
            "bake_s": 1,
            "min_requests": 20,
            "deadline_s": 60,
            "shadow": {"requests": 20},
            "envoy_admin_url": f"http://{HOST}:{admin}",
        },
        serving={
            "champion_urls": [f"http://{HOST}:{champion}"],
            "challenger_urls": [f"http://{HOST}:{challenger}"],
        },
    )
    world.resources["router"].of(world.spec)  # writes the first route
    addresses = Addresses(
        listener=f"{HOST}:{router}",
        admin=f"{HOST}:{admin}",
        champion=[f"{HOST}:{champion}"],
        challenger=f"{HOST}:{challenger}",
        challenger_shadow=f"{HOST}:{shadow}",
    )
    with ExitStack() as until:
        for alias, port in (
            ("champion", champion),
            ("challenger", challenger),
            ("challenger", shadow),
        ):
            server = Upstream(world.registry, alias, port)
            until.callback(server.server_close)
            until.callback(server.shutdown)
        until.enter_context(envoy(addresses, tmp_path / "router" / "toy", tmp_path / "envoy"))
        yield Stack(world, f"http://{HOST}:{router}")


def test_the_first_champion_needs_no_steps_and_then_there_is_nothing_to_do(stack: Stack) -> None:
    world = stack.world
    assert world.tick(SENSOR).skip_message == "no challenger"
    world.registry.set_alias("challenger", "1")
    (run,) = world.daemon(SENSOR)
    assert run.status is SUCCESS
    assert run.tags[ROLLOUT] == "1-v1"
    assert run.tags["ct/reason"] == "challenger v1 starts as the first champion, without steps"
    assert world.registry.by_alias("champion").version == "1"
    assert world.registry.by_alias("challenger") is None
    (reported,) = stack.champions()
    assert (reported["version"], reported["before"], reported["rollout"]) == ("1", "none", "1-v1")
    assert reported["steps"] == "no steps: there was no champion to compare with"
    assert [entry.action for entry in world.ledger("rollout")] == ["start", "promote"]
    assert world.tick(SENSOR).skip_message == "no challenger"


def test_a_run_takes_over_from_a_dead_one_and_promotes_stage_by_stage(stack: Stack) -> None:
    world = stack.world
    world.promote("1")
    world.registry.set_alias("challenger", world.register())
    dead = stack.rollout("dead-run")
    opened = begin(dead, "2", "1")
    route = dead.router.read()
    dead.router.write(replace(opened, beat=opened.beat - 31), route.version)
    world.ended(JOB, FAILURE, {ROLLOUT: "1-v2"})
    with stack.traffic() as statuses:
        (run,) = world.daemon(SENSOR)
    assert run.status is SUCCESS
    assert set(statuses) == {200}
    assert "owner dead-run silent for 3" in run.tags["ct/reason"]
    assert (stack.route.phase, stack.route.owner, stack.route.weight) == (Phase.PROMOTED, run.run_id, 0)
    assert stack.route.passed == ("shadow", "canary_50", "canary_100")
    assert world.registry.by_alias("champion").version == "2"
    assert world.registry.by_alias("previous_champion").version == "1"
    (reported,) = stack.champions()
    assert (reported["version"], reported["before"]) == ("2", "1")
    assert [line.split("|")[1].strip() for line in reported["steps"].splitlines()[2:]] == list(
        stack.route.passed
    )
    steps = world.instance.get_run_step_stats(run.run_id)
    done = dict.fromkeys(("shadow", "canary_50", "canary_100", "promote"), "SUCCESS")
    assert {step.step_key: step.status.value for step in steps} == {**done, "rollback": "SKIPPED"}


def test_a_cancelled_run_leads_to_one_that_rolls_back(stack: Stack) -> None:
    world = stack.world
    world.promote("1")
    world.registry.set_alias("challenger", world.register())
    begin(stack.rollout("cancelled-run"), "2", "1")
    world.ended(JOB, dg.DagsterRunStatus.CANCELED, {ROLLOUT: "1-v2"})
    (run,) = world.daemon(SENSOR)
    assert (run.status, run.tags[ACTION]) == (SUCCESS, "rollback")
    assert stack.route.phase is Phase.ROLLED_BACK
    assert stack.route.reason == "rollout 1-v2: its run was cancelled"
    assert world.registry.by_alias("challenger") is None
    assert world.registry.by_alias("champion").version == "1"
    assert world.registry.get("2").tags["ct.rollout"] == "rolled_back"
    assert stack.champions() == []
    assert world.tick(SENSOR).skip_message == "no challenger"


def test_a_kill_between_the_report_and_the_end_has_the_champion_reported_again(
    stack: Stack, monkeypatch: Any
) -> None:
    world = stack.world
    world.registry.set_alias("challenger", "1")
    with monkeypatch.context() as patch:
        patch.setattr(importlib.import_module("ct_assets.rollout.promote"), "promoted", _die)
        run = world.run(JOB)
    assert run.status is FAILURE
    tags = world.instance.get_run_by_id(run.run_id).tags
    assert tags[ROLLOUT] == "1-v1", "started by hand: the sensor finds it by this tag"
    assert stack.route.phase is Phase.PROMOTING
    router = world.resources["router"].of(world.spec)
    route = router.read()
    router.write(replace(route.state, beat=route.state.beat - 31), route.version)
    (again,) = world.daemon(SENSOR)
    assert again.status is SUCCESS
    assert stack.route.phase is Phase.PROMOTED
    assert [reported["version"] for reported in stack.champions()] == ["1", "1"], "twice rather than never"


def test_without_a_challenger_the_job_says_that_there_is_nothing_to_roll_out(
    real_time: Callable[..., Any],
) -> None:
    world = real_time()
    run = world.run(JOB)
    assert run.status is FAILURE
    (failure,) = world.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    said = failure.dagster_event.step_failure_data.user_failure_data.description
    assert said == "no version has alias challenger, and no rollout is open: nothing to roll out"


def test_a_second_run_by_hand_is_refused_while_the_first_is_alive(real_time: Callable[..., Any]) -> None:
    world = real_time(serving={"champion_urls": [NEVER], "challenger_urls": [NEVER]})
    world.promote("1")
    world.registry.set_alias("challenger", world.register())
    begin(Stack(world, NEVER).rollout("living-run"), "2", "1")
    run = world.run(JOB)
    assert run.status is FAILURE
    assert Stack(world, NEVER).route.owner == "living-run"


def test_the_facts_are_those_of_the_runs_that_carry_the_rollout_s_id(real_time: Callable[..., Any]) -> None:
    world = real_time()
    assert run_facts(world.instance, JOB, None).started == 0
    world.ended(JOB, FAILURE, {ROLLOUT: "1-v2"})
    world.ended(JOB, FAILURE, {ROLLOUT: "2-v3"})
    facts = run_facts(world.instance, JOB, "1-v2")
    assert (facts.started, facts.alive, facts.cancelled, facts.queued) == (1, False, False, False)
    world.ended(JOB, dg.DagsterRunStatus.STARTED, {ROLLOUT: "1-v2"})
    facts = run_facts(world.instance, JOB, "1-v2")
    assert (facts.started, facts.alive, facts.cancelled) == (2, True, False)
    assert facts.newest_at == pytest.approx(time.time(), abs=60)
    world.ended(JOB, dg.DagsterRunStatus.CANCELING, {ROLLOUT: "1-v2"})
    assert run_facts(world.instance, JOB, "1-v2").cancelled


def _die(*_: Any) -> None:
    raise KeyboardInterrupt("killed here")
