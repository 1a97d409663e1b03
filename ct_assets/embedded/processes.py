"""Child processes that are kept alive, and that all end with their parent, however it ends.

Three things see to that: `stop` asks, then kills; what it ends is found by a mark in the environment, not by
parents or groups; and a guard process does the same when there is no parent left to call `stop`.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ct_assets.embedded.guard import GRACE_S
from ct_assets.embedded.marked import MARK, end_marked

__all__ = ["ProcessDied", "Processes"]

RESTARTS = 3
WITHIN_S = 300.0
"""One that dies more than RESTARTS times within this will not recover by itself."""
EXIT_S = 5.0  # the kernel's own work on a process that has ended, or was killed
TAIL_LINES = 15


class ProcessDied(RuntimeError):
    """A process cannot be started, or keeps dying: names it, its status, its log and the end of that."""


@dataclass(frozen=True, slots=True)
class _Command:
    line: tuple[str, ...]
    env: dict[str, str]
    cwd: Path | None


class Processes:
    """Named processes, each in a session of its own with a log file; one that dies is started again."""

    def __init__(self, log_folder: Path) -> None:
        self._logs = log_folder
        self._mark = uuid.uuid4().hex
        self._guard: subprocess.Popen[bytes] | None = None
        self._commands: dict[str, _Command] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._began: dict[str, int] = {}
        """Where the log of the running one begins, in bytes."""
        self._deaths: defaultdict[str, list[float]] = defaultdict(list)
        self._restarts: Counter[str] = Counter()
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
        """Starts `command` with exactly `env`, output into `<log folder>/<name>.log`; raises ProcessDied."""
        self._commands[name] = _Command(tuple(command), dict(env), cwd)
        self._launch(name)

    def keep_alive(self) -> list[str]:
        """Starts what has died again and returns the names; raises ProcessDied for one that dies too often."""
        died = [name for name, process in self._running.items() if process.poll() is not None]
        for name in died:
            now = time.monotonic()
            recent = self._deaths[name] = [at for at in self._deaths[name] if now - at < WITHIN_S]
            if len(recent) == RESTARTS:
                raise ProcessDied(self._obituary(name))
            recent.append(now)
            end_marked(f"{self._mark}/{name}", grace_s=0)  # what is left of it holds ports and locks
            self._restarts[name] += 1
            self._launch(name)
        return died

    def env(self, env: Mapping[str, str], name: str = "other") -> dict[str, str]:
        """`env` with the mark in it: whoever is started with it ends with the processes, too."""
        return {**env, MARK: f"{self._mark}/{name}"}

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def stop(self) -> None:
        """Ends everything that was started, and everything that those started: asked first, then killed.

        A second Ctrl-C or SIGTERM meanwhile is ignored: it would leave the rest running.
        """
        with _unstoppable():
            self.left = end_marked(self._mark, grace_s=GRACE_S)
            for process in self._running.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(EXIT_S)  # fetches the status: no zombie stays
            self._running.clear()
            if self._guard is not None:
                self._guard.communicate()  # closes the pipe that it waits on
                self._guard = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _launch(self, name: str) -> None:
        if self._guard is None:
            self._guard = subprocess.Popen(
                [sys.executable, "-m", "ct_assets.embedded.guard", self._mark],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        command = self._commands[name]
        with self._log(name).open("ab") as log:
            self._began[name] = log.tell()
            try:
                self._running[name] = subprocess.Popen(
                    command.line,
                    env=self.env(command.env, name),
                    cwd=command.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise ProcessDied(f"{name} cannot be started: {error}") from error

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _obituary(self, name: str) -> str:
        with self._log(name).open("rb") as log:
            log.seek(self._began[name])  # an earlier run's last words would mislead
            tail = log.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
        said = "\n".join(["it ends:", *tail]) if tail else "it wrote nothing"
        often = f"{RESTARTS + 1} times within {WITHIN_S:.0f} s"
        return f"{name} died {often}, last {_how(self._running[name])}; its log is {self._log(name)}; {said}"


def _how(process: subprocess.Popen[bytes]) -> str:
    status = process.returncode
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"


@contextlib.contextmanager
def _unstoppable() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # no signal is handled here
        yield
        return
    heeded = {
        number: signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)
