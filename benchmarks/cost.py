"""What work costs: wall seconds, CPU seconds and peak memory of a command, or of one call in a fresh interpreter.

A process of its own, because imports, caches and freed memory of earlier work would be counted, or hidden,
in this one. CPU seconds are user and system time of the process and of all children that it waited for.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["Cost", "WorkFailed", "call", "command"]

ROOT = Path(__file__).parents[1]
_KIB = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in KiB on Linux, in bytes on macOS


class WorkFailed(RuntimeError):
    """The measured process did not end well: there is no number to show."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    value: Any = field(default=None, compare=False)
    """What the call returned; None for a command."""


def command(
    arguments: Sequence[str], *, timeout_s: float = 600, env: Mapping[str, str] | None = None
) -> Cost:
    """Runs a command to its end in the repository; WorkFailed when it fails or takes longer than `timeout_s`."""
    late = threading.Event()
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            arguments,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,  # so that whatever it started ends with it
        )

        def stop() -> None:
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(timeout_s, stop)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            timer.cancel()
            with suppress(ProcessLookupError):  # what it left running ends here
                os.killpg(process.pid, signal.SIGKILL)
        wall_s = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            said = output.read().decode(errors="replace").strip()[-2000:]
            why = f"took longer than {timeout_s:g} s" if late.is_set() else f"ended with {process.returncode}"
            raise WorkFailed(f"{' '.join(arguments)} {why}: {said or 'it said nothing'}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _KIB / 2**20)


def call(target: str, *, timeout_s: float = 600, **arguments: Any) -> Cost:
    """Costs of `module:function(**arguments)` in a fresh interpreter, without its start and the module's import.

    Arguments and result travel as JSON. `peak_mib` is the whole process's.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        request = [sys.executable, "-m", "benchmarks.cost", target, json.dumps(arguments), str(report)]
        whole = command(
            request, timeout_s=timeout_s, env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        )
        inner = json.loads(report.read_text())
    return Cost(inner["wall_s"], inner["cpu_s"], whole.peak_mib, inner["value"])


def _cpu_s() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _serve(target: str, arguments: str, report: str) -> None:
    """The child's side of `call`."""
    module, _, name = target.partition(":")
    function, given = getattr(import_module(module), name), json.loads(arguments)
    wall, cpu = time.perf_counter(), _cpu_s()
    value = function(**given)
    costs = {"wall_s": time.perf_counter() - wall, "cpu_s": _cpu_s() - cpu, "value": value}
    Path(report).write_text(json.dumps(costs))


if __name__ == "__main__":
    _serve(*sys.argv[1:])
