"""`ct`: the loop from the command line, beside what the Dagster UI offers."""

from __future__ import annotations

import getpass
import signal
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from ct_assets.lake.store import Lake
    from ct_assets.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)

PIPED_WIDTH = 200  # characters; nobody knows how wide a file or a pager is

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
    from ct_assets.settings import Settings

    signal.signal(signal.SIGTERM, _interrupt)
    settings = Settings()
    _lake(settings)
    serve_until_interrupted(model, settings, Console())


@app.command()
def retrain(
    model: Model,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="As-of day; default: the newest due day."
        ),
    ] = None,
) -> None:
    """Trains a candidate and puts it before the gate now, whatever the drift monitor says.

    A rejection is a result like another: the status is 1 only where there is no candidate at all.
    """
    from rich.console import Console

    from ct_assets.calendar import Rules, newest_due_day
    from ct_assets.catalog import load_spec
    from ct_assets.settings import Settings

    settings = Settings()
    spec = load_spec(model, overlay=settings.overlay)
    day = as_of.date() if as_of else newest_due_day(datetime.now(UTC), Rules.of(spec.calendar))
    console = Console(highlight=False, soft_wrap=True, markup=False)
    _lake(settings)
    with console.status(f"{model}: training as of {day}"):
        from ct_assets.graph.by_hand import retrain_now

        done = retrain_now(spec, day, reason=f"ct retrain by {_who()}")
    console.print(f"{model} as of {day}: version {done.version}, {done.decision}")
    console.print(done.why)
    if done.decision == "challenger":
        console.print("a running Dagster (`make dev`) rolls it out before the users of `ct serve`")
    console.print(f"Dagster run {done.run_id}; `ct history {model}` has it too")


@app.command()
def history(model: Model) -> None:
    """Prints the ledger: every decision on a model, when, why, and on which version."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ct_assets.catalog import load_spec
    from ct_assets.ledger import Ledger
    from ct_assets.settings import Settings

    settings = Settings()
    spec = load_spec(model, overlay=settings.overlay)
    try:
        entries = Ledger(_lake(settings)).read(spec.model)
    except ValueError as error:
        raise LakeFault(f"{settings.lake}: {error}") from error
    console = Console()
    if not entries:
        console.print(f"{spec.model}: no decision yet in {settings.lake}", soft_wrap=True, highlight=False)
        return
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    table = Table(title=f"{spec.model}: decisions", box=box.SIMPLE_HEAD)
    for name in ("at (UTC)", "day", "version", "decision"):
        table.add_column(name, no_wrap=True)
    table.add_column("why", overflow="fold")
    for entry in entries:
        words = (entry.day or "", entry.version or "", f"{entry.kind}: {entry.action}", entry.reason)
        table.add_row(f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}", *map(escape, words))
    console.print(table)


class LakeFault(RuntimeError):
    """The lake cannot be opened or read: names it, and why."""


def _lake(settings: Settings) -> Lake:
    from obstore.exceptions import BaseError

    from ct_assets.lake.store import Lake

    try:
        return Lake(settings.lake)
    except (ValueError, OSError, BaseError) as error:
        raise LakeFault(f"no lake at {settings.lake}: {_first_paragraph(error)}") from error


def _first_paragraph(error: Exception) -> str:
    """obstore's errors go on with pages of its inner state."""
    return str(error).split("\n\n", maxsplit=1)[0]


def _known(error: Exception) -> bool:
    """The house's own errors are written for whoever reads them; obstore's name the store and what it answered."""
    return type(error).__module__.split(".")[0] in ("ct_assets", "obstore")


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "somebody"


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point: a known fault is a clear sentence and status 1 (2: the command or a file is wrong)."""
    try:
        app()
    except Exception as error:
        if not _known(error):
            raise
        sys.stderr.write(f"{_first_paragraph(error)}\n")
        from ct_assets.catalog import SpecError

        raise SystemExit(2 if isinstance(error, SpecError) else 1) from None
