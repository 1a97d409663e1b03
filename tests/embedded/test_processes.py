"""With real processes: what dies is started again, and what was started ends with its parent, however that ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ct_assets.embedded.processes import ProcessDied, Processes

FOREVER = "import time; time.sleep(600)"
# A child in a session of its own, whose pid it prints: neither its parent nor a group leads to it.
WITH_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
# A parent like `ct demo`: it starts a process, prints its pid, and tends it until SIGTERM or Ctrl-C.
PARENT = """
import os, signal, sys, time
from pathlib import Path
from ct_assets.embedded.processes import Processes
def interrupt(*_): raise KeyboardInterrupt
signal.signal(signal.SIGTERM, interrupt)
signal.signal(signal.SIGINT, interrupt)
with Processes(Path(sys.argv[1])) as processes:
    processes.start("child", [sys.executable, "-u", "-c", sys.argv[2]], os.environ)
    print(processes.pid("child"), flush=True)
    while True:
        processes.keep_alive()
        time.sleep(0.05)
"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path / "logs") as started:
        yield started


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Callable[[str], tuple[subprocess.Popen[str], int]]]:
    """Starts PARENT around a program; gives the parent and the pid of the program."""
    with contextlib.ExitStack() as stack:

        def start(program: str) -> tuple[subprocess.Popen[str], int]:
            command = [sys.executable, "-c", PARENT, str(tmp_path / "logs"), program]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            assert process.stdout is not None
            return process, int(process.stdout.readline())

        yield start


def python(program: str) -> list[str]:
    return [sys.executable, "-u", "-c", textwrap.dedent(program)]


def until(true: Callable[[], bool], within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.02)
    return False


def runs(pid: int) -> bool:
    """A zombie does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def pid_in(log: Path) -> int:
    assert until(lambda: log.exists() and log.read_text().endswith("\n"))
    return int(log.read_text())


def test_a_process_that_is_killed_is_started_again(processes: Processes) -> None:
    processes.start("worker", python(FOREVER), os.environ)
    first = processes.pid("worker")
    assert processes.keep_alive() == []
    os.kill(first, signal.SIGKILL)
    assert until(lambda: processes.keep_alive() == ["worker"])
    assert runs(processes.pid("worker"))
    assert processes.restarts == {"worker": 1}


def test_a_process_that_keeps_dying_is_given_up_with_the_end_of_its_own_log(
    processes: Processes, tmp_path: Path
) -> None:
    (tmp_path / "logs" / "broken.log").write_text("said by an earlier run\n")
    processes.start("broken", python("import sys; print('port 8000 is taken'); sys.exit(2)"), os.environ)
    with pytest.raises(ProcessDied) as died:
        until(lambda: processes.keep_alive() == ["never"])
    assert str(died.value).splitlines() == [
        f"broken died 4 times within 300 s, last with status 2; its log is {tmp_path / 'logs' / 'broken.log'}; it ends:",
        "port 8000 is taken",
    ]
    assert processes.restarts == {"broken": 3}


def test_a_signal_that_killed_is_called_by_its_name(processes: Processes) -> None:
    processes.start("killed", python("import os; os.kill(os.getpid(), 9)"), os.environ)
    with pytest.raises(ProcessDied, match=r"last by SIGKILL; its log is .*; it wrote nothing$"):
        until(lambda: processes.keep_alive() == ["never"])


def test_a_few_deaths_far_apart_are_forgiven(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ct_assets.embedded.processes.WITHIN_S", 0.0)
    processes.start("weary", python("pass"), os.environ)
    assert until(lambda: bool(processes.keep_alive()) and processes.restarts["weary"] > 5)


def test_a_command_that_does_not_exist_is_named(processes: Processes) -> None:
    with pytest.raises(ProcessDied, match=r"router cannot be started: .*'no-such-program'"):
        processes.start("router", ["no-such-program"], os.environ)


def test_stopping_ends_grandchildren_in_sessions_of_their_own(processes: Processes, tmp_path: Path) -> None:
    processes.start("tree", python(WITH_CHILD), os.environ)
    grandchild = pid_in(tmp_path / "logs" / "tree.log")
    pids = (processes.pid("tree"), grandchild)
    assert all(map(runs, pids))
    processes.stop()
    assert not any(map(runs, pids))
    assert processes.left == []


def test_what_a_killed_process_leaves_behind_is_ended_before_it_is_started_again(
    processes: Processes, tmp_path: Path
) -> None:
    processes.start("tree", python(WITH_CHILD), os.environ)
    orphan = pid_in(tmp_path / "logs" / "tree.log")
    os.kill(processes.pid("tree"), signal.SIGKILL)
    assert until(lambda: processes.keep_alive() == ["tree"])
    assert not runs(orphan)


def test_the_others_live_on_when_one_is_started_again(processes: Processes) -> None:
    processes.start("one", python(FOREVER), os.environ)
    processes.start("one-more", python(FOREVER), os.environ)
    other = processes.pid("one-more")
    os.kill(processes.pid("one"), signal.SIGKILL)
    assert until(lambda: processes.keep_alive() == ["one"])
    assert runs(other)


def test_a_process_that_will_not_end_is_killed(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ct_assets.embedded.processes.GRACE_S", 0.2)
    processes.start("stubborn", python(STUBBORN), os.environ)
    pid_in(tmp_path / "logs" / "stubborn.log")
    pid = processes.pid("stubborn")
    processes.stop()
    assert not runs(pid)


def test_a_process_may_write_its_last_words_before_it_ends(processes: Processes, tmp_path: Path) -> None:
    program = """
        import signal, sys, time
        def end(*_): time.sleep(0.3); print("written out"); sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        print("ready")
        time.sleep(600)
    """
    log = tmp_path / "logs" / "serving.log"
    processes.start("serving", python(program), os.environ)
    assert until(lambda: log.read_text() == "ready\n")
    processes.stop()
    assert log.read_text() == "ready\nwritten out\n"


def test_a_parent_ends_its_children_itself_before_anybody_else_asks_them(
    processes: Processes, tmp_path: Path
) -> None:
    child = """
        import signal, sys
        def end(*_): print("asked by a stranger"); sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        print("ready")
        sys.stdin.read()
        print("asked by my parent")
    """
    parent = f"""
        import signal, subprocess, sys, time
        child = subprocess.Popen({python(child)!r}, stdin=subprocess.PIPE)
        def end(*_): time.sleep(0.3); child.communicate(); sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        time.sleep(600)
    """
    log = tmp_path / "logs" / "dagster.log"
    processes.start("dagster", python(parent), os.environ)
    assert until(lambda: log.read_text() == "ready\n")
    processes.stop()
    assert log.read_text() == "ready\nasked by my parent\n"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_nothing_outlives_the_parent_whatever_ends_it(
    how: signal.Signals,
    parent: Callable[[str], tuple[subprocess.Popen[str], int]],
    tmp_path: Path,
) -> None:
    started, child = parent(WITH_CHILD)
    grandchild = pid_in(tmp_path / "logs" / "child.log")
    started.send_signal(how)
    assert until(lambda: not (runs(child) or runs(grandchild)))


def test_a_second_ctrl_c_does_not_stop_the_stopping(
    parent: Callable[[str], tuple[subprocess.Popen[str], int]], tmp_path: Path
) -> None:
    slow = """
        import signal, sys, time
        def end(*_): time.sleep(1); print("ended in order"); sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        print("ready")
        time.sleep(600)
    """
    log = tmp_path / "logs" / "child.log"
    started, child = parent(textwrap.dedent(slow))
    assert until(lambda: log.exists() and "ready" in log.read_text())
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        started.send_signal(number)
        time.sleep(0.2)
    _, errors = started.communicate(timeout=10)
    assert not runs(child)
    assert log.read_text() == "ready\nended in order\n"
    assert errors.count("Traceback") == 1  # of the first one alone


def test_the_mark_reaches_no_process_of_another_deployment(processes: Processes, tmp_path: Path) -> None:
    processes.start("ours", python(FOREVER), os.environ)
    with Processes(tmp_path / "other") as others:
        others.start("theirs", python(FOREVER), os.environ)
    assert runs(processes.pid("ours"))
