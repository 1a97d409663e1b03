"""Finds and ends every process that carries a mark in its environment: all that a `Processes` started, at any depth.

Children hand their environment on. So the mark leads to those that a killed parent left behind, and to those that
moved into a session of their own, where neither a parent nor a process group leads to any more.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

import psutil

__all__ = ["MARK", "end_marked", "marked"]

MARK = "CT_STARTED_BY"
FORGOTTEN_S = 3.0
KILLS = 5  # one that starts others while it is killed needs another round


def marked(mark: str) -> list[psutil.Process]:
    """Running processes whose mark is `mark` or begins with `<mark>/`; never those of another user."""
    return [process for process in psutil.process_iter() if f"{_mark(process)}/".startswith(f"{mark}/")]


def end_marked(mark: str, *, grace_s: float) -> list[str]:
    """Asks them to end (SIGTERM), and kills those that have not within `grace_s`; returns what is left, in words.

    The topmost are asked first, and get the whole grace: each knows best how to end its own children (a Dagster
    whose parts are all asked at once waits for one another). What they forgot is asked after them. Without any
    grace nobody is asked.
    """
    if grace_s:
        found = marked(mark)
        pids = {process.pid for process in found}
        _ask([process for process in found if _parent(process) not in pids], grace_s)
        _ask(marked(mark), min(grace_s, FORGOTTEN_S))
    for _ in range(KILLS):
        found = marked(mark)
        if not found:
            break
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        _wait(found, 2)
    return [repr(process) for process in found if _runs(process)]


def _ask(processes: list[psutil.Process], within_s: float) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _wait(processes, within_s)


def _mark(process: psutil.Process) -> str:
    try:
        return str(process.environ().get(MARK, ""))
    except (psutil.Error, OSError):
        return ""


def _parent(process: psutil.Process) -> int | None:
    try:
        return int(process.ppid())
    except psutil.Error:
        return None


def _runs(process: psutil.Process) -> bool:
    """A zombie does not: whoever ought to fetch its status may never do so, and it holds nothing."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _wait(processes: Iterable[psutil.Process], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while any(map(_runs, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
