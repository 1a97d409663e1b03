"""What the demo found: the structure of `.ct/demo/verdict.json` and the table on the screen.

A number that was not computed is null in the file and a dash on the screen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import shorten

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["Auc", "Expectation", "Requests", "ScenarioVerdict", "Step", "Verdict", "show", "write"]


class Expectation(msgspec.Struct, frozen=True):
    """One thing that had to happen, or not to."""

    name: str
    ok: bool
    detail: str


class Step(msgspec.Struct, frozen=True):
    """One stage of the rollout."""

    stage: str
    weight_percent: int
    seconds: float
    challenger_requests: int
    challenger_errors: int
    passed: bool
    reason: str


class Requests(msgspec.Struct, frozen=True):
    """What users saw at the router; a challenger's failures in shadow or behind the guard are none of theirs."""

    served: int
    failed: int
    labels: int
    challenger_failures_hidden: int


class Auc(msgspec.Struct, frozen=True):
    """ROC AUC on the newest week of traffic, by the generator's own labels, most of which no model has seen."""

    rows: int
    ceiling: float
    """Of the true probabilities: no model can do better, but for luck."""
    old_champion: float | None
    """Null where its graph fails on some of the week's rows."""
    new_version: float | None
    """Null where nothing was trained, or where its graph fails on some of the week's rows."""


class ScenarioVerdict(msgspec.Struct, frozen=True):
    """One scenario."""

    name: str
    story: str
    ok: bool
    expectations: list[Expectation]
    drifted: list[str]
    """Checks of the live day that were red."""
    trigger: str
    """Why it retrained, or why not."""
    gate: str | None
    rollout: str | None
    steps: list[Step]
    requests: Requests
    auc: Auc
    seconds: dict[str, float]
    """By stage."""
    restarts: dict[str, int]
    """Processes that died and were started again."""


class Verdict(msgspec.Struct, frozen=True):
    """The whole demo."""

    ok: bool
    scenarios: list[ScenarioVerdict]
    seconds: float


def write(verdict: Verdict, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(verdict), indent=2) + b"\n")


def show(verdict: Verdict, console: Console, *, to_come: int = 0) -> None:
    """One column a scenario; `to_come`: scenarios that were asked for and are not played yet."""
    table = Table(title="Continuous training: verdict", show_lines=True, title_style="bold")
    table.add_column("")
    for scenario in verdict.scenarios:
        table.add_column(f"{scenario.name}\n{'[green]ok' if scenario.ok else '[red]NOT OK'}", overflow="fold")
    rows: dict[str, Callable[[ScenarioVerdict], str]] = {
        "red checks, live day": lambda s: escape(", ".join(s.drifted) or "none"),
        "decision": lambda s: escape(shorten(s.trigger, 150, placeholder=" ...")),
        "gate": lambda s: escape(s.gate or "-"),
        "rollout": lambda s: escape(s.rollout or "-"),
        "steps": lambda s: "\n".join(map(_step, s.steps)) or "-",
        "requests": lambda s: (
            f"{s.requests.served:,} served, {s.requests.failed} failed\n{s.requests.labels:,} labels"
        ),
        "challenger's failures, unseen by users": lambda s: str(s.requests.challenger_failures_hidden),
        "AUC, newest week": lambda s: _auc(s.auc),
        "seconds": lambda s: "\n".join(f"{name} {seconds:.0f}" for name, seconds in s.seconds.items()),
        "expected": lambda s: "\n".join(
            f"{'[green]✓' if e.ok else '[red]✗'}[/] {escape(e.name if e.ok else f'{e.name}: {e.detail}')}"
            for e in s.expectations
        ),
    }
    for name, text in rows.items():
        table.add_row(name, *(text(scenario) for scenario in verdict.scenarios))
    console.print(table)
    if to_come:
        console.print(f"{to_come} more to come")
    else:
        said = "[green]ok" if verdict.ok else "[red]NOT OK"
        console.print(f"[bold]{said}[/][/] in {verdict.seconds:.0f} s")


def _step(step: Step) -> str:
    mark = "[green]✓[/]" if step.passed else "[red]✗[/]"
    return f"{mark} {step.stage} {step.seconds:.0f} s: {step.challenger_errors}/{step.challenger_requests} failed"


def _auc(auc: Auc) -> str:
    old, new = ("-" if value is None else f"{value:.3f}" for value in (auc.old_champion, auc.new_version))
    return f"old {old}, new {new}\nceiling {auc.ceiling:.3f}"
