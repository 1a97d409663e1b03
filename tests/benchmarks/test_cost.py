"""What work costs: the work's own seconds, and no number where it failed."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.cost import WorkFailed, call, command


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


def test_busy_work_costs_cpu_and_waiting_does_not() -> None:
    busy, idle = command(python(BURN)), command(python("import time; time.sleep(0.3)"))
    assert busy.cpu_s >= 0.3
    assert idle.wall_s >= 0.3
    assert idle.cpu_s < busy.cpu_s


def test_the_work_of_children_counts() -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}], check=True)"
    assert command(python(child)).cpu_s >= 0.3


def test_the_peak_of_memory_is_seen_though_it_was_freed() -> None:
    assert command(python("x = bytearray(150 * 2**20); del x")).peak_mib > 150


def test_a_command_that_fails_gives_no_number_but_its_words() -> None:
    with pytest.raises(WorkFailed, match=r"ended with 3: no such luck"):
        command(python("import sys; print('no such luck'); sys.exit(3)"))


def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    hang = f"import subprocess; p = subprocess.Popen(['sleep', '60']); open({str(pid)!r}, 'w').write(str(p.pid)); p.wait()"
    with pytest.raises(WorkFailed, match="took longer than 2 s: it said nothing"):
        command(python(hang), timeout_s=2)
    assert gone(int(pid.read_text()))


def test_what_a_command_leaves_running_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    leave = f"import subprocess; open({str(pid)!r}, 'w').write(str(subprocess.Popen(['sleep', '60']).pid))"
    command(python(leave))
    assert gone(int(pid.read_text()))


def gone(pid: int) -> bool:
    """Whether a process ended; one whose parent died before may stay a zombie for a moment."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                time.sleep(0.05)
                continue
        return True
    return False


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module whose import is dear and whose function is cheap."""
    (tmp_path / "toy_work.py").write_text(
        f"{BURN}\n\ndef add(a, b=0):\n    print('noise')\n    return {{'sum': a + b}}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "toy_work"


def test_a_call_returns_its_value_and_costs_neither_its_import_nor_the_start(work: str) -> None:
    cost = call(f"{work}:add", a=2, b=3)
    assert cost.value == {"sum": 5}
    assert cost.cpu_s < 0.1
    assert cost.wall_s < 0.3
    assert cost.peak_mib > 5


def test_a_call_that_raises_gives_no_number_but_its_error(work: str) -> None:
    with pytest.raises(WorkFailed, match="TypeError"):
        call(f"{work}:add", a=2, b="3")


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the costs come from wait4")
def test_a_call_is_made_in_a_process_of_its_own() -> None:
    assert call("os:getpid").value != os.getpid()
