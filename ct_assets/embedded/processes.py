"""Child processes that are kept alive, and that all end with their parent, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["ProcessDied", "Processes"]

GRACE_S = 20.0  # serving writes its log out and dagster ends its runs within this
RESTARTS = 3


class ProcessDied(RuntimeError):
    """A process keeps dying: names it and the tail of its log."""


@dataclass(frozen=True, slots=True)
class _Command:
    line: tuple[str, ...]
    env: dict[str, str]
    cwd: Path | None


class Processes:
    """Named processes, each in a session of its own with a log file; one that dies is started again."""

    def __init__(self, log_folder: Path) -> None:
        self._logs = log_folder
        self._commands: dict[str, _Command] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._restarts: Counter[str] = Counter()
        # Descendants, noted while they lived: after a kill -9 of their parent nothing leads to them any more,
        # and psutil tells a pid that was given to somebody else from the process that it knew.
        self._seen: set[psutil.Process] = set()
        self.left: list[str] = []
        """What still ran after `stop`: nothing, unless the kernel holds on to it."""
        log_folder.mkdir(parents=True, exist_ok=True)

    @property
    def restarts(self) -> dict[str, int]:
        """How often each process was started again."""
        return dict(self._restarts)

    def start(
        self, name: str, command: Sequence[str], env: Mapping[str, str], *, cwd: Path | None = None
    ) -> None:
        self._commands[name] = _Command(tuple(command), dict(env), cwd)
        self._launch(name)

    def keep_alive(self) -> list[str]:
        """Starts what has died again and returns the names; raises ProcessDied for one that died too often."""
        died = []
        for name, process in list(self._running.items()):
            self._note(process)
            if process.poll() is None:
                continue
            if self._restarts[name] >= RESTARTS:
                raise ProcessDied(
                    f"{name} ended with status {process.returncode} again; its log ends:\n{self._tail(name)}"
                )
            self._restarts[name] += 1
            _signal(process.pid, signal.SIGKILL)  # what is left of its group holds ports and locks
            self._launch(name)
            died.append(name)
        return died

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def stop(self) -> None:
        """Ends everything that was started, and everything that those started: asked first, then killed.

        A second Ctrl-C meanwhile is ignored: it would leave orphans.
        """
        heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._stop()
        finally:
            signal.signal(signal.SIGINT, heeded)

    def _stop(self) -> None:
        for process in self._running.values():
            self._note(process)
        for process in self._running.values():
            _signal(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            _signal(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()
        _, alive = psutil.wait_procs(list(self._seen), timeout=1)
        for child in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        _, left = psutil.wait_procs(alive, timeout=2)
        self.left = [repr(child) for child in left]
        self._seen.clear()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _launch(self, name: str) -> None:
        command = self._commands[name]
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command.line,
                env=command.env,
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _note(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self._seen.update(psutil.Process(process.pid).children(recursive=True))

    def _tail(self, name: str, lines: int = 15) -> str:
        text = (self._logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])


def _signal(pid: int, number: signal.Signals) -> None:
    """To the whole group that the process leads."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
