"""`ct`: the loop from the command line, beside what the Dagster UI offers."""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)

Model = Annotated[str, typer.Argument(help="A folder under ct_assets/defs, e.g. fraud_detector.")]


@app.command()
def demo(
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="steady, bad-model or drift; may be given several times. Default: all."),
    ] = None,
    keep: Annotated[
        bool, typer.Option(help="Leave the last scenario running, to be looked at, until Ctrl-C.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option(help="Build the history anew, even if a fitting one is kept.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the traffic generator.")] = 42,
    scale: Annotated[int, typer.Option(min=300, help="Transactions a day.")] = 1_500,
) -> None:
    """Runs the whole loop on this machine; ends with status 1 when it did not close."""
    from rich.console import Console

    from ct_assets.demo.command import Demo
    from ct_assets.demo.scenarios import SCENARIOS
    from ct_assets.settings import Settings

    names = scenario or list(SCENARIOS)
    if unknown := [name for name in names if name not in SCENARIOS]:
        raise typer.BadParameter(f"{unknown[0]}: choose from {', '.join(SCENARIOS)}", param_hint="--scenario")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        ok = Demo(Settings().home, Console(), seed=seed, tx_per_day=scale).run(names, keep=keep, fresh=fresh)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    raise typer.Exit(0 if ok else 1)


@app.command()
def serve(model: Model) -> None:
    """Serves a model on this machine: champion, challenger and Envoy before them, until Ctrl-C."""
    from rich.console import Console

    from ct_assets.embedded.serve import serve_until_interrupted

    signal.signal(signal.SIGTERM, _interrupt)
    serve_until_interrupted(model, Console())


@app.command()
def retrain(
    model: Model,
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="As-of day; default: the newest due day.")
    ] = None,
) -> None:
    """Trains a candidate and puts it before the gate now, whatever the drift monitor says."""
    from ct_assets.calendar import Rules, newest_due_day
    from ct_assets.catalog import load_spec
    from ct_assets.graph.by_hand import retrain_now
    from ct_assets.settings import Settings

    spec = load_spec(model, overlay=Settings().overlay)
    day = as_of.date() if as_of else newest_due_day(datetime.now(UTC), Rules.of(spec.calendar))
    raise typer.Exit(0 if retrain_now(spec, day, reason=f"ct retrain by {_who()}") else 1)


@app.command()
def history(model: Model) -> None:
    """Prints the ledger: every decision on a model, when, why, and on which version."""
    from rich.console import Console
    from rich.table import Table

    from ct_assets.catalog import load_spec
    from ct_assets.lake.store import Lake
    from ct_assets.ledger import Ledger
    from ct_assets.settings import Settings

    settings = Settings()
    spec = load_spec(model, overlay=settings.overlay)
    table = Table("at (UTC)", "day", "version", "decision", "why", title=f"{spec.model}: decisions")
    for entry in Ledger(Lake(settings.lake)).read(spec.model):
        table.add_row(
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.day or "",
            entry.version or "",
            f"{entry.kind}: {entry.action}",
            entry.reason,
        )
    Console().print(table)


def _who() -> str:
    return os.environ.get("USER") or "somebody"


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point: a known fault is one clear line, not a stack trace."""
    from ct_assets.catalog import SpecError

    try:
        app()
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
