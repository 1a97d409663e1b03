"""The state that every scenario starts from, built once and kept: months of history and a first champion."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from rich.console import Console

from ct_assets.catalog import load_spec
from ct_assets.demo.deployment import MODEL, Deployment, Timeline
from ct_assets.embedded.processes import Processes
from ct_assets.embedded.stack import start_champion, start_envoy

__all__ = ["HistoryFailed", "ready_base"]

PACKAGE = Path(__file__).parent.parent
KEY = "key.txt"
TIMEOUT_S = 900.0


class HistoryFailed(RuntimeError):
    """The history could not be built: carries the end of what it printed."""


def ready_base(
    base: Path, deployment: Deployment, timeline: Timeline, seed: int, tx_per_day: int, console: Console
) -> None:
    """Builds the base in the deployment's folder (MLflow stores absolute paths) and copies it to `base`.

    Does nothing where `base` is of the same day, seed, size and code.
    """
    key = _key(deployment.folder, timeline, seed, tx_per_day)
    if (base / KEY).exists() and (base / KEY).read_text() == key:
        return
    shutil.rmtree(deployment.folder, ignore_errors=True)
    deployment.write(trainer=None)
    with Processes(deployment.logs) as processes:
        start_champion(processes, MODEL, deployment.ports, deployment.env())
        start_envoy(processes, deployment.ports, deployment.routes, deployment.env())
        _build(deployment, timeline, seed, tx_per_day, console, processes)
    (deployment.folder / KEY).write_text(key)
    half = base.with_name(base.name + ".half")  # a copy that was interrupted must not pass for a base
    for folder in (half, base):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(deployment.folder, half)
    half.rename(base)


def _build(
    deployment: Deployment,
    timeline: Timeline,
    seed: int,
    tx_per_day: int,
    console: Console,
    processes: Processes,
) -> None:
    command = [sys.executable, "-m", "ct_assets.demo.history", "--live", timeline.live.isoformat()]
    command += ["--seed", str(seed), "--tx-per-day", str(tx_per_day)]
    log = deployment.logs / "history.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            env=processes.env(deployment.env()),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C comes to us alone, and we end it
        ) as process,
    ):
        overdue = threading.Timer(TIMEOUT_S, process.kill)
        overdue.start()
        try:
            for line in process.stdout or ():
                console.print(f"  {line.strip()}", highlight=False, markup=False)
            code = process.wait()
        finally:
            overdue.cancel()
            process.kill()
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        how = (
            f"ended with status {code}" if code > 0 else f"was killed: {TIMEOUT_S:.0f} s were over, or memory"
        )
        raise HistoryFailed(f"building the history {how}; the end of {log}:\n{tail}")


def _key(folder: Path, timeline: Timeline, seed: int, tx_per_day: int) -> str:
    """Changes with anything that the base is made of, and with where it was made: MLflow stores absolute paths."""
    digest = hashlib.sha256(
        f"{folder}|{timeline.live}|{seed}|{tx_per_day}|{load_spec(MODEL).model_dump_json()}".encode()
    )
    for source in sorted(PACKAGE.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
