"""Plays one scenario from its history to its end. After the last replayed day it touches nothing: the daemon acts."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from textwrap import shorten

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ct_assets.demo.deployment import MODEL, Deployment, Timeline
from ct_assets.demo.fraud_features import FEATURES
from ct_assets.demo.fraud_traffic import ENTITY, FraudTraffic, generate
from ct_assets.demo.scenarios import Scenario
from ct_assets.demo.traffic_client import Answers, TrafficClient
from ct_assets.demo.watch import Watch
from ct_assets.drift.verdict import Outcome
from ct_assets.embedded.processes import Processes
from ct_assets.embedded.stack import answers, start_reports, start_stack, wait_until
from ct_assets.lake.store import Lake
from ct_assets.lake.window import days_between
from ct_assets.ledger import Entry
from ct_assets.rollout.routers.envoy import EnvoyRouter

__all__ = ["Played", "Story"]

LIVE_PER_S = 60.0  # a trickle, that leaves the cores to the loop
LOOP_S = 420.0  # from the last replayed request to the end of the story
DAY = timedelta(days=1)
WORKSPACE = Path(__file__).parents[2] / "workspace.yaml"


@dataclass
class Played:
    """What was seen."""

    answers: Answers
    ended: str
    """`promoted`, `rolled_back`, `held`, or why it did not end."""
    seconds: dict[str, float] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)


class Story:
    """One scenario in one deployment."""

    def __init__(
        self,
        scenario: Scenario,
        deployment: Deployment,
        timeline: Timeline,
        processes: Processes,
        console: Console,
        *,
        seed: int,
        tx_per_day: int,
    ) -> None:
        self.scenario = scenario
        self.timeline = timeline
        self._at = deployment
        self._processes = processes
        self._console = console
        self.rows = rows_of(
            scenario, timeline, first_day=deployment.first_day, seed=seed, tx_per_day=tx_per_day
        )
        self._client = TrafficClient(
            f"{deployment.router_url}/predict",
            feedback_url=f"{deployment.router_url}/feedback",
            entity=ENTITY,
            features=list(FEATURES),
            label="is_fraud",
        )
        self.watch = Watch(Lake(f"file://{deployment.lake}"), MODEL, datetime.now(UTC))
        self._seconds: dict[str, float] = {}

    def play(self) -> Played:
        """Runs the story; leaves the processes running."""
        with _Stage(self._seconds, "start serving"):
            self._start_serving()
        # Dagster needs longer to start than the older days to be replayed: its closer finds them all, and
        # closes them in one ranged run.
        self._start_dagster()
        with _Stage(self._seconds, "replay 14 days"):
            asyncio.run(self._replay(self.timeline.first_traffic_day, self.timeline.live))
        began = datetime.now(UTC)
        ended = asyncio.run(self._live_until_end())
        self._seconds.update(_stages(self.watch.entries(), began))
        return Played(self._client.answers, ended, self._seconds, self._processes.restarts)

    def _start_serving(self) -> None:
        env = self._at.env()
        start_reports(self._processes, self._at.lake, self._at.reports_port, env)
        start_stack(self._processes, MODEL, self._at.ports, self._at.routes, env)
        wait_until(
            "champion ready behind Envoy",
            lambda: answers(f"{self._at.router_url}/readyz"),
            within_s=90,
            tend=self._processes.keep_alive,
        )

    def _start_dagster(self) -> None:
        host, port = "127.0.0.1", str(self._at.dagster_port)
        dagster = str(Path(sys.executable).with_name("dagster"))
        command = [dagster, "dev", "-w", str(WORKSPACE), "-h", host, "-p", port]
        self._processes.start("dagster", command, self._at.env(), cwd=self._at.dagster_home)

    async def _replay(self, first: date, last: date) -> None:
        """Day by day: the day's requests, then the labels that became known on it."""
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            rows = _on_days(self.rows, "event_time", first, last)
            bar = progress.add_task(f"{first} .. {last}", total=rows.height)
            day = first
            while day <= last:
                self._processes.keep_alive()
                await self._client.replay(
                    _on_days(rows, "event_time", day, day), lambda n: progress.advance(bar, n)
                )
                await self._client.feedback(_on_days(self.rows, "label_time", day, day))
                day += DAY

    async def _live_until_end(self) -> str:
        """Live traffic of today at a steady rate while the loop works, until the story has ended."""
        over, tell = asyncio.Event(), self.watch.news(self._tell)
        today = self._today()
        trickle = asyncio.create_task(self._client.trickle(today, per_s=LIVE_PER_S, until=over))
        deadline, ended = time.monotonic() + LOOP_S, ""
        try:
            while not ended and time.monotonic() < deadline:
                await asyncio.sleep(0.5)
                for name in self._processes.keep_alive():
                    self._console.print(f"  [yellow]{name} died and was started again[/]")
                tell()
                ended = self._end()
                if trickle.done():
                    trickle.result()
        finally:
            over.set()
            await trickle
        return ended or f"nothing ended within {LOOP_S:.0f} s"

    def _end(self) -> str:
        """How the story ended; empty while it has not."""
        rollout = self.watch.last("rollout", "promote", "rolled_back")
        if rollout is not None:  # said before the last write, so that a crash cannot swallow it
            if EnvoyRouter(self._at.routes, "").read().state.phase.open:
                return ""
            return "promoted" if rollout.action == "promote" else "rolled_back"
        decision = self.watch.last("trigger")
        days = days_between(self.timeline.first_traffic_day, self.timeline.live)
        verdicts = self.watch.verdicts(days)
        last = verdicts.get(self.timeline.live)
        decided = decision is not None and decision.action == "hold" and "evaluation" in decision.evidence
        if last is not None and last.outcome is Outcome.PASS and len(verdicts) == len(days) and decided:
            return "held"
        gate = self.watch.last("gate", "reject")
        return f"the gate rejected: {gate.reason}" if gate else ""

    def _today(self) -> pl.DataFrame:
        """Rows after the live day, up to now: they belong to a day that no sensor may judge yet."""
        rows = self.rows.filter(pl.col("event_time") >= _midnight(self.timeline.live + DAY))
        return rows.filter(pl.col("event_time") <= datetime.now(UTC))

    def _tell(self, entry: Entry) -> None:
        if entry.kind == "drift" and entry.day != str(self.timeline.live):
            return
        what = f"{entry.kind} {entry.day}" if entry.day else entry.kind
        why = shorten(entry.reason, 220, placeholder=" ...")
        self._console.print(
            f"  [dim]{entry.at:%H:%M:%S}[/] [bold]{what}: {entry.action}[/] {why}", highlight=False
        )


def rows_of(
    scenario: Scenario, timeline: Timeline, *, first_day: date, seed: int, tx_per_day: int
) -> pl.DataFrame:
    """Every transaction of the scenario: the history, the two weeks, and two more days for live traffic after them."""
    return generate(
        FraudTraffic(
            first_day=first_day,
            days=(timeline.live - first_day).days + 3,
            seed=seed,
            tx_per_day=tx_per_day,
            regime=scenario.regime,
            drift_from=timeline.first_traffic_day,
            new_category_from=timeline.live - 6 * DAY if scenario.new_category else None,
        )
    )


def _on_days(rows: pl.DataFrame, column: str, first: date, last: date) -> pl.DataFrame:
    return rows.filter((pl.col(column) >= _midnight(first)) & (pl.col(column) < _midnight(last + DAY)))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), tzinfo=UTC)


def _stages(entries: list[Entry], began: datetime) -> dict[str, float]:
    """Seconds between the loop's decisions, from the end of the replay."""
    marks = [("detect", "trigger", "retrain"), ("train", "training", "train"), ("judge", "gate", "")]
    marks += [("canary", "rollout", "promote"), ("canary", "rollout", "rolled_back")]
    seconds, before = {}, began
    for name, kind, action in marks:
        found = next((e.at for e in entries if e.kind == kind and action in (e.action, "")), None)
        if found is not None:
            seconds[name] = max(0.0, (found - before).total_seconds())
            before = found
    return seconds


class _Stage:
    """Times a block into a dict."""

    def __init__(
        self, into: dict[str, float], name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._into, self._name, self._clock = into, name, clock

    def __enter__(self) -> None:
        self._began = self._clock()

    def __exit__(self, *_: object) -> None:
        self._into[self._name] = self._clock() - self._began
