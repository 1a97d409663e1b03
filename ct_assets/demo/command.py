"""`ct demo`: the whole loop on this machine, from nothing to a verdict."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from ct_assets.calendar import Rules, newest_due_day
from ct_assets.catalog import load_spec
from ct_assets.demo.base import ready_base
from ct_assets.demo.deployment import MODEL, Deployment, Timeline
from ct_assets.demo.findings import find
from ct_assets.demo.registry_look import look_afresh, newest_week
from ct_assets.demo.scenarios import SCENARIOS, Scenario
from ct_assets.demo.story import Story
from ct_assets.demo.verdict import Expectation, ScenarioVerdict, Verdict, show, write
from ct_assets.embedded.ports import HOST
from ct_assets.embedded.processes import Processes
from ct_assets.lake.layout import report_key
from ct_assets.lake.window import day_end

__all__ = ["Demo", "DemoRuns"]

VERDICT = "verdict.json"


class DemoRuns(RuntimeError):
    """Another demo plays in the same folder."""


class Demo:
    """Plays scenarios under `<home>/demo`; what they leave there can be browsed afterwards."""

    def __init__(
        self, home: Path, console: Console, *, seed: int, tx_per_day: int, bake_s: float = 5.0
    ) -> None:
        spec = load_spec(MODEL)
        self._folder = (home / "demo").absolute()
        self._console = console
        self._seed = seed
        self._tx_per_day = tx_per_day
        now = datetime.now(UTC)
        self._timeline = Timeline(newest_due_day(now, Rules.of(spec.calendar)))
        training = spec.training
        first = self._timeline.first_history_day(
            training.window_days, training.holdout_days, spec.label_delay_days
        )
        self._deployment = Deployment.on_free_ports(
            self._folder / "run", first, (now - day_end(self._timeline.live)).total_seconds(), bake_s
        )

    def run(self, names: list[str], *, keep: bool, fresh: bool) -> bool:
        """Whether every expectation came true. With `keep`, the last deployment runs on until Ctrl-C.

        Raises:
            DemoRuns: where another demo plays in the same folder.
        """
        with _alone(self._folder):
            return self._run(names, keep=keep, fresh=fresh)

    def _run(self, names: list[str], *, keep: bool, fresh: bool) -> bool:
        began = time.monotonic()
        found: list[ScenarioVerdict] = []
        base = self._folder / "history"
        (self._folder / VERDICT).unlink(missing_ok=True)  # none, rather than that of an earlier run
        if fresh:
            shutil.rmtree(base, ignore_errors=True)
        with self._told("history and first champion (kept for the next time)"):
            ready_base(base, self._deployment, self._timeline, self._seed, self._tx_per_day, self._console)
        for name in names:
            stay = self._stay if keep and name == names[-1] else None
            found.append(
                self._play(
                    SCENARIOS[name], base, lambda so_far: self._report([*found, so_far], names, began), stay
                )
            )
        return all(scenario.ok for scenario in found)

    def _play(
        self,
        scenario: Scenario,
        base: Path,
        report: Callable[[ScenarioVerdict], None],
        stay: Callable[[Processes], None] | None,
    ) -> ScenarioVerdict:
        self._console.rule(f"[bold]{scenario.name}")
        self._console.print(scenario.story)
        deployment = self._deployment
        shutil.rmtree(deployment.folder, ignore_errors=True)
        shutil.copytree(base, deployment.folder)
        deployment.write(trainer=scenario.trainer)
        processes = Processes(deployment.logs)
        with processes:
            story = Story(
                scenario,
                deployment,
                self._timeline,
                processes,
                self._console,
                seed=self._seed,
                tx_per_day=self._tx_per_day,
            )
            played = story.play()
            week = newest_week(story.rows, self._timeline.live)
            seen = look_afresh(deployment.tracking_uri, load_spec(MODEL).registered_model, week)
            verdict = find(story, played, deployment, seen)
            if stay is not None:
                report(verdict)
                stay(processes)
        if stay is None:
            verdict = _and_gone(verdict, processes)
            report(verdict)
        self._keep_results(scenario)
        return verdict

    def _report(self, scenarios: list[ScenarioVerdict], names: list[str], began: float) -> None:
        """Shows what was found so far; `ok` only once every scenario asked for is there, and is ok."""
        ok = [s.name for s in scenarios if s.ok] == names
        verdict = Verdict(ok, scenarios, round(time.monotonic() - began, 1))
        path = self._folder / VERDICT
        write(verdict, path)
        show(verdict, self._console, to_come=len(names) - len(scenarios))
        report, at = self._folder / scenarios[-1].name / "report.html", self._deployment
        self._console.print(
            f"verdict        {path}\n"
            f"drift report   file://{report}\n"
            f"MLflow         MLFLOW_TRACKING_URI={at.tracking_uri} mlflow ui\n"
            f"Dagster        CT_HOME={at.folder} CT_OVERLAY={at.overlay_file} DAGSTER_HOME={at.dagster_home} "
            "dagster-webserver -w workspace.yaml\n"
            "               (or `--keep`: the last scenario stays up, with its serving at /docs)",
            highlight=False,
            soft_wrap=True,
        )

    def _stay(self, processes: Processes) -> None:
        """Keeps everything running, to be looked at."""
        deployment = self._deployment
        self._console.print(
            f"Dagster        http://{HOST}:{deployment.dagster_port}/locations/ct_assets/asset-groups/fraud_detector/lineage\n"
            f"drift report   {deployment.reports_url}/{report_key(MODEL, self._timeline.live)}\n"
            f"serving        {deployment.router_url}/docs\n"
            "[bold]Ctrl-C ends everything.[/]",
            highlight=False,
            soft_wrap=True,
        )
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                processes.keep_alive()
                time.sleep(1)

    def _keep_results(self, scenario: Scenario) -> None:
        """Copies what people look at out of the folder that the next scenario overwrites."""
        target = self._folder / scenario.name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        shutil.copytree(self._deployment.logs, target / "logs")
        shutil.copy(self._deployment.overlay_file, target)
        report = self._deployment.lake / report_key(MODEL, self._timeline.live)
        if report.exists():
            shutil.copy(report, target)

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        with self._console.status(what):
            yield
        self._console.print(f"{what}: {time.monotonic() - began:.0f} s", highlight=False)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two demos in one folder would delete each other's deployment. The lock ends with the process that holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DemoRuns(
                f"a demo runs in {folder} already: end it, or set CT_HOME to another folder"
            ) from error
        yield


def _and_gone(verdict: ScenarioVerdict, processes: Processes) -> ScenarioVerdict:
    """With one more expectation: nothing that was started still runs."""
    import msgspec

    left = processes.left
    gone = Expectation("every process is gone", not left, f"still there: {left}")
    return msgspec.structs.replace(
        verdict, expectations=[*verdict.expectations, gone], ok=verdict.ok and gone.ok
    )
