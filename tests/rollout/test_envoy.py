"""The real Envoy before two real servers: what users see, what is counted, what survives a kill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import aiohttp
import pytest
from msgspec.structs import replace

from ct_assets.rollout import (
    Addresses,
    EnvoyRouter,
    Phase,
    RolloutContext,
    RouterError,
    RouteState,
    begin,
    envoy,
    promote,
    rollback,
    run_stage,
    stages,
)
from ct_assets.rollout.routers.envoy_route import render
from ct_assets.rollout.state import Counters
from ct_assets.spec import RolloutSpec, ShadowSpec

UPSTREAM = Path(__file__).with_name("upstream.py")
SPEC = RolloutSpec(shadow=ShadowSpec(requests=50), bake_s=0.5, min_requests=20, deadline_s=30)
STEERED = RouteState(
    sequence=1, rollout="1-v7", champion="6", challenger="7", phase=Phase.STAGE, plan=stages(SPEC)
)


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def until(true: Callable[[], bool], limit_s: float = 10.0) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


class Upstream:
    """A server process that can be killed and started again on its ports."""

    def __init__(self, variant: str, aliases: Path, ports: list[int]) -> None:
        self._command = [sys.executable, str(UPSTREAM), variant, str(aliases), *map(str, ports)]
        self.url = f"http://127.0.0.1:{ports[0]}"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command)

    def ready(self) -> bool:
        try:
            return bool(self.get("/counts"))
        except OSError:
            return False

    def get(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=5) as response:
            return json.load(response)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class FileRegistry:
    """Aliases in the file that the servers follow."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tags: dict[str, str] = {}

    @property
    def aliases(self) -> dict[str, str]:
        return json.loads(self.path.read_text())

    def put(self, aliases: dict[str, str]) -> None:
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(aliases))
        temporary.replace(self.path)

    def by_alias(self, alias: str) -> Any:
        version = self.aliases.get(alias)
        return None if version is None else type("Version", (), {"version": version})()

    def set_alias(self, alias: str, version: str) -> None:
        self.put(self.aliases | {alias: version})

    def clear_alias(self, alias: str, *, only_if: str | None = None) -> bool:
        if self.aliases.get(alias) != only_if:
            return False
        self.put({k: v for k, v in self.aliases.items() if k != alias})
        return True

    def tag(self, version: str, **tags: str) -> None:
        self.tags |= tags


@dataclass
class Stack:
    folder: Path
    addresses: Addresses
    router: EnvoyRouter
    registry: FileRegistry
    champion: Upstream
    challenger: Upstream
    process: subprocess.Popen[bytes]

    def put(self, **changes: Any) -> None:
        """Another route, and the wait until Envoy has it."""
        route = self.router.read()
        written = self.router.write(replace(STEERED, **changes), route.version)
        until(lambda: self.router.confirmed(written.version))

    def counters(self) -> Counters:
        counters = self.router.counters()
        assert counters is not None
        return counters

    def send(self, requests: int, path: str = "/predict", entities: bool = True) -> list[str]:
        """Who answered, in the order of the entities 0, 1, ...; `status <code>` where nobody did."""
        return asyncio.run(self._send(requests, path, entities))

    async def _send(self, requests: int, path: str, entities: bool) -> list[str]:
        answers = [""] * requests
        async with aiohttp.ClientSession() as session:

            async def some(first: int) -> None:
                for i in range(first, requests, 8):
                    answers[i] = await post(
                        session, f"http://{self.addresses.listener}{path}", i if entities else None
                    )

            await asyncio.gather(*(some(first) for first in range(8)))
        return answers


async def post(session: aiohttp.ClientSession, url: str, entity: int | None) -> str:
    headers = {} if entity is None else {"x-entity-id": f"customer-{entity}"}
    try:
        async with session.post(url, json={"amount": 1}, headers=headers) as response:
            body = await response.json(content_type=None)
            return str(body["by"]) if response.status == 200 else f"status {response.status}"
    except aiohttp.ClientError as error:
        return repr(error)


class Load:
    """Users who keep asking, at about `rps` requests a second, for as long as the block lasts."""

    def __init__(self, stack: Stack, rps: int = 200, workers: int = 4) -> None:
        self._url = f"http://{stack.addresses.listener}/predict"
        self._pause_s = workers / rps
        self._workers = workers
        self._over = False
        self.answers: Counter[str] = Counter()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._ask()))

    async def _ask(self) -> None:
        async with aiohttp.ClientSession() as session:

            async def one(worker: int) -> None:
                entity = worker
                while not self._over:
                    self.answers[await post(session, self._url, entity)] += 1
                    entity += self._workers
                    await asyncio.sleep(self._pause_s)

            await asyncio.gather(*(one(worker) for worker in range(self._workers)))

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()

    @property
    def lost(self) -> list[str]:
        return [answer for answer in self.answers if answer not in ("champion", "challenger")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("router")
    listener, admin, champion, challenger, shadow = free_ports(5)
    registry = FileRegistry(folder / "aliases.json")
    registry.put({"champion": "6", "challenger": "7"})
    addresses = Addresses(
        listener=f"127.0.0.1:{listener}",
        admin=f"127.0.0.1:{admin}",
        champion=[f"127.0.0.1:{champion}"],
        challenger=f"127.0.0.1:{challenger}",
        challenger_shadow=f"127.0.0.1:{shadow}",
    )
    router = EnvoyRouter(folder / "routes", f"http://127.0.0.1:{admin}")
    router.initialise()
    with ExitStack() as stack:
        upstreams = [
            Upstream("champion", registry.path, [champion]),
            Upstream("challenger", registry.path, [challenger, shadow]),
        ]
        for upstream in upstreams:
            stack.callback(upstream.kill)
        process = stack.enter_context(envoy(addresses, router.path.parent, folder / "envoy"))
        for upstream in upstreams:
            until(upstream.ready, 30)
        yield Stack(folder, addresses, router, registry, *upstreams, process)


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The stack as it was at first: everything on the champion, nobody fails."""
    if running.challenger.process.poll() is not None:
        running.challenger.start()
    until(running.challenger.ready, 30)
    running.challenger.get("/set?fail=0")
    running.registry.put({"champion": "6", "challenger": "7"})
    route = running.router.read()
    written = running.router.write(RouteState(), route.version)
    until(lambda: running.router.confirmed(written.version))
    return running


def test_the_weight_is_the_share_and_an_entity_stays_where_it_was(stack: Stack) -> None:
    there: set[int] = set()
    for weight in (10, 50, 100):
        stack.put(weight=weight)
        answers = stack.send(400)
        now = {i for i, by in enumerate(answers) if by == "challenger"}
        assert abs(len(now) / 400 - weight / 100) < 0.09
        assert there <= now, "a growing weight moves nobody back"
        there = now
    stack.put(weight=50)
    assert 120 < stack.send(400, entities=False).count("challenger") < 280, "without the header: at random"
    stack.put(weight=0)
    assert set(stack.send(100)) == {"champion"}


def test_no_request_is_lost_in_fifty_weight_changes(stack: Stack) -> None:
    with Load(stack) as load:
        for i in range(50):
            stack.put(weight=(10, 50, 100, 0)[i % 4], mirror_percent=100 * (i % 2))
            until(lambda: load.answers.total() >= 5 * i)  # noqa: B023
    assert load.lost == []
    assert load.answers.total() >= 245
    assert set(load.answers) == {"champion", "challenger"}


def test_the_guard_hides_every_failure_from_users_and_the_counters_show_every_one(stack: Stack) -> None:
    stack.challenger.get("/set?fail=0.05")
    stack.put(weight=100)
    before, told = stack.counters(), stack.challenger.get("/counts")[0]
    answers = stack.send(600)
    after, tells = stack.counters(), stack.challenger.get("/counts")[0]
    assert Counter(answers) == {"challenger": 570, "champion": 30}
    grown = after.challenger - before.challenger
    assert [grown.n, grown.k] == [tells[0] - told[0], tells[1] - told[1]] == [600, 30]
    assert after.champion == before.champion, "the guard's second attempts are no champion traffic"


def test_a_killed_challenger_costs_users_nothing_and_is_counted(stack: Stack) -> None:
    stack.put(weight=100)
    before = stack.counters().challenger
    with Load(stack) as load:
        until(lambda: load.answers["challenger"] > 20)
        stack.challenger.kill()
        until(lambda: load.answers["champion"] > 20)
    assert load.lost == []
    grown = stack.counters().challenger - before
    assert grown.n == load.answers.total()
    assert grown.k == load.answers["champion"]


def test_a_hanging_challenger_is_given_up_for_the_champion(stack: Stack) -> None:
    stack.put(weight=100)
    before = stack.counters().challenger
    stack.challenger.process.send_signal(signal.SIGSTOP)
    try:
        assert set(stack.send(4)) == {"champion"}
    finally:
        stack.challenger.process.send_signal(signal.SIGCONT)
    assert (stack.counters().challenger - before).k == 4


def test_copies_are_counted_apart_from_live_answers_and_only_of_predictions(stack: Stack) -> None:
    stack.challenger.get("/set?fail=0.1")
    stack.put(mirror_percent=100)
    before, told = stack.counters(), stack.challenger.get("/counts")
    assert set(stack.send(200)) == {"champion"}
    assert set(stack.send(50, path="/feedback")) == {"champion"}
    until(lambda: (stack.counters().shadow - before.shadow).n >= 200)
    after, tells = stack.counters(), stack.challenger.get("/counts")
    assert (after.shadow - before.shadow).n == 200
    assert (after.shadow - before.shadow).k == tells[1][1] - told[1][1] == 20
    assert after.challenger == before.challenger
    assert (after.champion - before.champion).n == 200, "feedback is no evidence"
    assert tells[0] == told[0], "no copy arrives at the live port"


def test_a_dead_challenger_s_copies_are_failures(stack: Stack) -> None:
    stack.challenger.kill()
    stack.put(mirror_percent=100)
    before = stack.counters().shadow
    assert set(stack.send(40)) == {"champion"}
    until(lambda: (stack.counters().shadow - before).n >= 40)
    assert (stack.counters().shadow - before).k == 40


def test_a_route_that_envoy_refuses_is_noticed(stack: Stack) -> None:
    route = stack.router.read()
    document = json.dumps(render(route.state, route.version + 1)).replace('"guarded"', '"misspelt"')
    temporary = stack.router.path.with_suffix(".tmp")
    temporary.write_text(document)
    temporary.replace(stack.router.path)
    log = stack.folder / "envoy" / "envoy.log"
    until(lambda: "unknown weighted cluster 'misspelt'" in log.read_text())
    assert not stack.router.confirmed(route.version + 1)
    assert set(stack.send(20)) == {"champion"}, "the old route stays in force"


def test_a_hanging_envoy_answers_none_within_seconds(stack: Stack) -> None:
    stack.process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    try:
        assert stack.router.counters() is None
        assert not stack.router.confirmed(1)
    finally:
        stack.process.send_signal(signal.SIGCONT)
    assert time.monotonic() - begun < 6


def test_an_admin_interface_that_is_no_envoy_of_ours_gives_no_zeros(stack: Stack) -> None:
    stranger = EnvoyRouter(stack.folder / "routes", stack.champion.url)
    assert stranger.counters() is None
    assert not stranger.confirmed(1)


def test_route_and_state_survive_the_kill_of_envoy_and_counters_begin_a_new_epoch(stack: Stack) -> None:
    admin, listener = free_ports(2)
    addresses = changed(stack.addresses, admin=f"127.0.0.1:{admin}", listener=f"127.0.0.1:{listener}")
    router = EnvoyRouter(stack.folder / "second", f"http://127.0.0.1:{admin}")
    second = Stack(
        stack.folder, addresses, router, stack.registry, stack.champion, stack.challenger, stack.process
    )
    version = router.initialise().version
    with envoy(addresses, router.path.parent, stack.folder / "second-envoy") as process:
        router.write(replace(STEERED, weight=50, reason="kept"), version)
        until(lambda: router.confirmed(version + 1))
        second.send(40)
        before = second.counters()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert router.counters() is None
        assert router.read().state.reason == "kept"
    with envoy(addresses, router.path.parent, stack.folder / "second-envoy"):
        until(lambda: router.confirmed(version + 1))
        after = second.counters()
        assert after.epoch != before.epoch
        assert (before.challenger.n > 0, after.challenger.n) == (True, 0)
        assert set(second.send(60)) == {"champion", "challenger"}


@pytest.mark.parametrize("taken", ["admin", "listener"])
def test_an_envoy_on_a_port_that_is_taken_says_so_and_never_shares_it(
    stack: Stack, tmp_path: Path, taken: str
) -> None:
    other = f"127.0.0.1:{free_ports(1)[0]}"
    addresses = changed(stack.addresses, **{"listener" if taken == "admin" else "admin": other})
    with (
        pytest.raises(RouterError, match=r"(?s)envoy.*the end of .*Address already in use"),
        envoy(addresses, stack.router.path.parent, tmp_path, ready_s=5),
    ):
        pass


def context(stack: Stack, said: list[str]) -> RolloutContext:
    return RolloutContext(
        router=stack.router,
        registry=stack.registry,
        spec=SPEC,
        owner="run-1",
        champion_urls=(stack.champion.url,),
        challenger_urls=(stack.challenger.url,),
        say=lambda action, *_: said.append(action),
        poll_s=0.05,
        beat_s=0.5,
    )


def test_a_good_challenger_becomes_champion_under_load(stack: Stack) -> None:
    said: list[str] = []
    ctx = context(stack, said)
    with Load(stack) as load:
        begin(ctx, "7", "6")
        results = [run_stage(stage.name, ctx) for stage in stages(SPEC)]
        ending = promote(ctx)
    assert [result.ok for result in results] == [True] * 4, results
    assert ending.phase is Phase.PROMOTED
    assert stack.registry.aliases == {"champion": "7", "previous_champion": "6"}
    assert load.lost == []
    records = stack.router.read().state.history
    assert [record.weight for record in records] == [0, 10, 50, 100]
    assert records[0].seen.challenger.n == 0
    assert records[0].seen.shadow.n >= 50
    assert all(record.seen.challenger.n >= 20 and record.seen.challenger.k == 0 for record in records[1:])
    assert [a for a in said if a != "stay"] == ["start", *["enter", "advance"] * 4, "promote"]
    assert set(stack.send(40)) == {"champion"}


def test_a_challenger_that_turns_bad_is_back_out_before_a_user_sees_it(stack: Stack) -> None:
    ctx = context(stack, [])
    with Load(stack) as load:
        begin(ctx, "7", "6")
        assert run_stage("shadow", ctx).ok
        stack.challenger.get("/set?fail=0.2")
        verdict = run_stage("canary_10", ctx)
        assert set(stack.send(40)) == {"champion"}, "traffic is back before the rollback op begins"
        ending = rollback(ctx, verdict.reason)
    assert not verdict.ok
    assert "limit 1.00%" in verdict.reason
    assert ending.phase is Phase.ROLLED_BACK
    assert stack.registry.aliases == {"champion": "6"}
    assert stack.registry.tags["ct.rollout"] == "rolled_back"
    assert load.lost == []
