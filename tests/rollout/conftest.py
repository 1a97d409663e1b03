"""A world for the rollout: the real route file with its compare-and-set, a clock that is moved by hand,
traffic that obeys the weights in the route, and a registry of one dictionary."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from ct_assets.ledger import Entry
from ct_assets.rollout import (
    EnvoyRouter,
    Phase,
    RolloutContext,
    RunFacts,
    SupervisionAction,
    begin,
    ledger_entry,
    promote,
    rollback,
    run_stage,
    stages,
    subject,
    supervise,
)
from ct_assets.rollout.state import Count, Counters, Route, RouteState
from ct_assets.spec import RolloutSpec, ShadowSpec

START = 1_800_000_000.0
SPEC = RolloutSpec(shadow=ShadowSpec(requests=50), bake_s=5, min_requests=20, deadline_s=60)


class Killed(BaseException):
    """The process died here. No handler of the code under test may catch it."""


@dataclass(frozen=True)
class Named:
    version: str


@dataclass
class Weather:
    """What the next seconds are like."""

    rps: int = 100
    challenger_rate: float = 0.0
    champion_rate: float = 0.0
    metrics: bool = True
    taking: bool = True
    challenger_serves: bool = True
    champion_follows: bool = True


class DictRegistry:
    """Aliases and tags; `world` is told before and after each change."""

    def __init__(self, world: World) -> None:
        self.aliases: dict[str, str] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self._world = world

    def by_alias(self, alias: str) -> Named | None:
        return Named(self.aliases[alias]) if alias in self.aliases else None

    def set_alias(self, alias: str, version: str) -> None:
        self._world.effect(lambda: self.aliases.__setitem__(alias, version), f"alias {alias}={version}")

    def clear_alias(self, alias: str, *, only_if: str | None = None) -> bool:
        if self.aliases.get(alias) is None or (only_if is not None and self.aliases[alias] != only_if):
            return False
        self._world.effect(lambda: self.aliases.pop(alias), f"clear {alias}")
        return True

    def tag(self, version: str, **tags: str) -> None:
        self._world.effect(lambda: self.tags.setdefault(version, {}).update(tags), f"tag {version}")


class SimulatedEnvoy(EnvoyRouter):
    """The real file; only the data plane behind it is arithmetic."""

    def __init__(self, folder: Path, world: World) -> None:
        super().__init__(folder, "http://127.0.0.1:1", timeout_s=0.01)
        self._world = world
        self.in_force = 0
        self.carried = RouteState()
        self.epoch = 0
        self.raw = {"champion": [0, 0], "challenger": [0, 0], "shadow": [0, 0]}
        self._owed = {"champion": 0.0, "challenger": 0.0, "shadow": 0.0}

    def write(self, state: RouteState, expect_version: int) -> Route:
        route = self._world.effect(
            lambda: super(SimulatedEnvoy, self).write(state, expect_version), f"route {state.phase}"
        )
        self._world.check(route.state)
        return route

    def confirmed(self, version: int) -> bool:
        return self.in_force >= version

    def counters(self) -> Counters | None:
        if not self._world.weather.metrics:
            return None
        return Counters(str(self.epoch), **{v: Count(n, k) for v, (n, k) in self.raw.items()})

    def restart(self) -> None:
        self.epoch += 1
        self.raw = {variant: [0, 0] for variant in self.raw}

    def serve(self, seconds: float) -> None:
        weather, route = self._world.weather, self.read()
        if weather.taking:
            self.in_force, self.carried = route.version, route.state
        n, weight = seconds * weather.rps, self.carried.weight / 100
        self._count("champion", n * (1 - weight), weather.champion_rate)
        self._count("challenger", n * weight, weather.challenger_rate)
        self._count("shadow", n * (1 - weight) * self.carried.mirror_percent / 100, weather.challenger_rate)

    def _count(self, variant: str, requests: float, rate: float) -> None:
        self._owed[variant] += int(requests) * rate
        failed = int(self._owed[variant])
        self._owed[variant] -= failed
        self.raw[variant][0] += int(requests)
        self.raw[variant][1] += failed


@dataclass
class World:
    folder: Path
    spec: RolloutSpec = SPEC
    clock: float = START
    weather: Weather = field(default_factory=Weather)
    kills: list[float] = field(default_factory=list)
    """Numbers of the side effects, counted from 1, at which the process dies: n before it, n + 0.5 after it."""
    effects: int = 0
    done: list[str] = field(default_factory=list)
    rows: dict[bytes, Entry] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    at_sleep: Callable[[], None] = lambda: None
    follow_s: float = 120.0

    def __post_init__(self) -> None:
        self.registry = DictRegistry(self)
        self.router = SimulatedEnvoy(self.folder, self)
        self.router.initialise()
        self.router.serve(0)

    def effect(self, act: Callable[[], Any], name: str) -> Any:
        self.effects += 1
        number = self.effects
        if number in self.kills:
            raise Killed(f"before {name}")
        result = act()
        self.done.append(name)
        if number + 0.5 in self.kills:
            raise Killed(f"after {name}")
        return result

    def check(self, state: RouteState) -> None:
        """What must hold in every state ever written."""
        allowed = {0, *(stage.weight for stage in state.plan)}
        assert state.weight in allowed
        if state.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.PROMOTED, Phase.IDLE):
            assert state.weight == 0
            assert state.mirror_percent == 0
        if state.phase is Phase.STAGE:
            assert self.registry.aliases.get("champion") != state.challenger, (
                "promoted before the last stage passed"
            )
            assert state.weight <= max((s.weight for s in state.plan[: state.step + 1]), default=0)
        if state.phase in (Phase.PROMOTING, Phase.PROMOTED):
            assert state.passed == tuple(stage.name for stage in state.plan)
            assert all(record.passed for record in state.history)

    def context(self, owner: str, **changes: Any) -> RolloutContext:
        return RolloutContext(
            **{
                "router": self.router,
                "registry": self.registry,
                "spec": self.spec,
                "owner": owner,
                "champion_urls": ("champion-a", "champion-b"),
                "challenger_urls": ("challenger",),
                "say": self._say,
                "serving": self._serving,
                "now": lambda: self.clock,
                "sleep": self.sleep,
                "follow_s": self.follow_s,
            }
            | changes
        )

    def run(self, owner: str = "run-1", *, force_rollback: str = "") -> Phase:
        """What the op job does, in one process."""
        ctx = self.context(owner)
        route = self.router.read().state
        challenger = route.challenger if route.phase.open else self.registry.aliases["challenger"]
        begin(ctx, challenger or "", self.registry.aliases.get("champion"), force=bool(force_rollback))
        if force_rollback:
            return rollback(ctx, force_rollback).phase
        for stage in stages(self.spec):
            result = run_stage(stage.name, ctx)
            if not result.ok:
                return rollback(ctx, result.reason).phase
        return promote(ctx).phase

    def orchestrate(self, ticks: int = 40) -> SupervisionAction:
        """Sensor ticks every 31 s until it has nothing to do, each starting a run that may be killed."""
        for _ in range(ticks):
            self.sleep(31)
            state = self.router.read().state
            aliases = self.registry.aliases
            rollout = subject(state, aliases.get("challenger"))
            own = [run for run in self.runs if run["rollout"] == rollout]
            facts = RunFacts(started=len(own), newest_at=own[-1]["at"] if own else None)
            decision = supervise(state, aliases.get("challenger"), aliases.get("champion"), self.clock, facts)
            if decision.run_key is None:
                if not state.phase.open:
                    return decision.action
                continue
            assert decision.run_key not in [run["key"] for run in self.runs], "a run key dedupes for ever"
            self.runs.append({"rollout": rollout, "key": decision.run_key, "at": self.clock})
            undo = decision.reason if decision.action is SupervisionAction.ROLLBACK else ""
            try:
                self.run(decision.run_key, force_rollback=undo)
            except Killed:
                continue
        raise AssertionError(f"no end after {ticks} ticks: {self.router.read().state}")

    def sleep(self, seconds: float) -> None:
        self.at_sleep()
        self.clock += seconds
        self.router.serve(seconds)

    @property
    def state(self) -> RouteState:
        return self.router.read().state

    @property
    def actions(self) -> list[str]:
        return [entry.action for entry in self.rows.values() if entry.action != "stay"]

    def _serving(self, url: str) -> str | None:
        if url == "challenger":
            return self.registry.aliases.get("challenger") if self.weather.challenger_serves else None
        return self.registry.aliases.get("champion") if self.weather.champion_follows else "0"

    def _say(self, action: str, reason: str, evidence: dict[str, Any]) -> None:
        entry = ledger_entry("fraud_detector", action, reason, evidence)
        self.effect(lambda: self.rows.setdefault(msgspec.json.encode(entry), entry), f"say {action}")


@pytest.fixture(scope="session")
def make_world() -> Iterator[Callable[..., World]]:
    """`make_world(champion="6", challenger="7", **fields)`."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # thousands of fsyncs
    with TemporaryDirectory(dir=memory) as folder:
        count = 0

        def make(*, champion: str | None = "6", challenger: str | None = "7", **fields: Any) -> World:
            nonlocal count
            count += 1
            world = World(Path(folder) / str(count), **fields)
            for alias, version in (("champion", champion), ("challenger", challenger)):
                if version is not None:
                    world.registry.aliases[alias] = version
            return world

        yield make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture(scope="session")
def killed() -> type[Killed]:
    return Killed


@pytest.fixture(scope="session")
def weather_of() -> type[Weather]:
    return Weather
