"""Runs a benchmark: collects its rows and targets, prints them as tables, writes `.ct/bench/NAME.json`.

A benchmark is a module of this package with `main(bench)`; `python -m benchmarks.harness [NAME ...] [--quick]`
runs every one, each in a process of its own. A missed target makes the exit status 1; with `--quick`, where
sizes are small and numbers say little, it is only shown.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.cost import ROOT, Cost, WorkFailed, call, command
from benchmarks.spread import Spread, ratio, spread

__all__ = [
    "Bench",
    "Cost",
    "Spread",
    "Target",
    "WorkFailed",
    "call",
    "command",
    "machine",
    "main_of",
    "modules",
    "ratio",
    "spread",
]

RESULTS = ROOT / ".ct" / "bench"

Cell = str | int | float | bool | Spread | None


@dataclass(frozen=True, slots=True)
class Target:
    """A number that must stay on its side of a limit."""

    name: str
    value: float | None
    """None: it was not measured, so it is not met."""
    op: Literal["<=", ">="]
    limit: float

    @property
    def ok(self) -> bool:
        if self.value is None:
            return False
        return self.value <= self.limit if self.op == "<=" else self.value >= self.limit


@dataclass
class Bench:
    """What one benchmark measured."""

    name: str
    quick: bool = False
    """Small sizes: the benchmark runs through, and its numbers are no evidence."""
    rows: list[dict[str, Cell]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def row(self, **cells: Cell) -> None:
        """A line of the table; keys are its columns, with the unit in the name. None is shown as not measured."""
        self.rows.append(cells)

    def target(
        self, name: str, value: Spread | float | None, op: Literal["<=", ">="], limit: float
    ) -> Target:
        """States a target, and whether it is met; of a spread the median counts."""
        number = value.median if isinstance(value, Spread) else value
        known = None if number is None or math.isnan(number) else float(number)
        self.targets.append(Target(name, known, op, limit))
        return self.targets[-1]

    def document(self) -> dict[str, Any]:
        """The benchmark as plain JSON values."""
        return {
            "name": self.name,
            "quick": self.quick,
            "machine": machine(),
            "rows": [{key: _plain(cell) for key, cell in row.items()} for row in self.rows],
            "targets": [{**asdict(target), "ok": target.ok} for target in self.targets],
        }

    def write(self, folder: Path = RESULTS) -> Path:
        """Writes `NAME.json`; returns its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(self.document(), indent=2) + "\n")
        return path

    def print(self) -> None:
        """The rows, and the targets below them."""
        from rich.console import Console
        from rich.table import Table

        table = Table(
            title=f"{self.name}{' (quick: sizes are small, numbers say little)' if self.quick else ''}"
        )
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        for column in columns:
            table.add_column(column, justify="right" if column != columns[0] else "left")
        for row in self.rows:
            table.add_row(*(_shown(row.get(column)) for column in columns))
        aims = Table(title="targets")
        for column in ("target", "measured", "limit", ""):
            aims.add_column(column)
        for target in self.targets:
            mark = "met" if target.ok else "MISSED"
            aims.add_row(target.name, _shown(target.value), f"{target.op} {_shown(target.limit)}", mark)
        console = Console()
        for part in (table if self.rows else None, aims if self.targets else None):
            if part is not None:
                console.print(part)


def machine() -> dict[str, str | int | float]:
    """What the numbers were measured on, as far as it matters to them."""
    cpuinfo = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in _lines(cpuinfo) if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_1m": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def main_of(name: str, measure: Callable[[Bench], None], arguments: Sequence[str] | None = None) -> int:
    """What a benchmark's `__main__` calls: `sys.exit(main_of("loop", main))`."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="small sizes: runs through, and proves little")
    bench = Bench(name, quick=parser.parse_args(arguments).quick)
    measure(bench)
    bench.print()
    bench.write()
    return 0 if bench.quick or all(target.ok for target in bench.targets) else 1


def modules(folder: Path = Path(__file__).parent) -> list[str]:
    """Names of the benchmarks: modules with a `main`, found without importing them."""
    return [path.stem for path in sorted(folder.glob("*.py")) if _has_main(path)]


def run_all(names: Sequence[str], *, quick: bool) -> int:
    """Runs each in a process of its own; 1 if any of them failed or missed a target."""
    failed = []
    for name in names:
        command_line = [sys.executable, "-m", f"benchmarks.{name}", *(["--quick"] if quick else [])]
        done = subprocess.run(command_line, cwd=ROOT, check=False)
        if done.returncode:
            failed.append(name)
    print(
        f"{len(names) - len(failed)} of {len(names)} benchmarks met their targets", *failed, sep="\n  not: "
    )
    return 1 if failed else 0


def _has_main(path: Path) -> bool:
    statements = ast.parse(path.read_text()).body
    return any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in statements)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _plain(cell: Cell) -> Any:
    return asdict(cell) if isinstance(cell, Spread) else cell


def _shown(cell: Cell) -> str:
    if cell is None:
        return "not measured"
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return str(cell)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.0f}" if abs(cell) >= 1_000 else f"{cell:.4g}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.harness")
    parser.add_argument("names", nargs="*", help="benchmarks to run; all of them unless given")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    sys.exit(run_all(options.names or modules(), quick=options.quick))
