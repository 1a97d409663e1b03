"""`ct serve` itself: three real processes on free ports, one of them killed, and all of them gone at the end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from ct_assets.embedded.ports import HOST, Ports, free_ports
from ct_assets.embedded.stack import readiness

CT = [sys.executable, "-c", "from ct_assets.cli import main; main()"]


def unused() -> Ports:
    """The ports that follow from addresses which nobody uses."""
    while True:
        champion, challenger, admin = free_ports(3)
        ports = Ports(champion + 80, champion, challenger, challenger + 1, admin)
        if not ports.taken():
            return ports


@pytest.fixture
def ports() -> Ports:
    return unused()


@pytest.fixture
def env(tmp_path: Path, ports: Ports) -> dict[str, str]:
    overlay = {
        "serving": {
            "champion_urls": [f"http://{HOST}:{ports.champion}"],
            "challenger_urls": [f"http://{HOST}:{ports.challenger}"],
        },
        "rollout": {"envoy_admin_url": f"http://{HOST}:{ports.admin}"},
    }
    file = tmp_path / "overlay.yaml"
    file.write_text(yaml.safe_dump({"fraud_detector": overlay}))
    return {**os.environ, "CT_HOME": str(tmp_path / "home"), "CT_OVERLAY": str(file)}


@pytest.fixture
def serve(env: dict[str, str], tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A running `ct serve fraud_detector`, and the file that holds what it prints."""
    screen = tmp_path / "screen"
    with screen.open("wb") as output:
        process = subprocess.Popen([*CT, "serve", "fraud_detector"], env=env, stdout=output, stderr=output)
    yield process, screen
    process.kill()  # its guard ends the rest
    process.wait()


def said(screen: Path, words: str, within_s: float = 60.0) -> bool:
    deadline = time.monotonic() + within_s
    while words not in screen.read_text():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_it_starts_three_processes_starts_a_killed_one_again_and_ends_them_all(
    serve: tuple[subprocess.Popen[bytes], Path], ports: Ports, env: dict[str, str]
) -> None:
    process, screen = serve
    assert said(screen, "no model has alias champion yet; `ct retrain` trains a first one"), (
        screen.read_text()
    )
    ready, why = readiness(f"http://{HOST}:{ports.router}/readyz")  # through Envoy
    assert (ready, why) == (False, "no model has alias champion yet")
    children = psutil.Process(process.pid).children(recursive=True)
    (envoy,) = (child for child in children if "envoy" in child.name())

    again = subprocess.run(
        [*CT, "serve", "fraud_detector"], env=env, capture_output=True, text=True, check=False
    )
    assert again.returncode == 2
    assert "somebody listens on 127.0.0.1" in again.stderr
    assert again.stderr.count("\n") == 1

    envoy.kill()
    assert said(screen, "envoy died and was started again")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert screen.read_text().endswith("stopping\n")
    assert "Traceback" not in screen.read_text()
    assert [child for child in children if child.is_running()] == []
    assert ports.taken() == []


def test_a_taken_port_is_refused_before_anything_starts(
    env: dict[str, str], ports: Ports, tmp_path: Path
) -> None:
    with socket.create_server((HOST, ports.admin)):
        done = subprocess.run(
            [*CT, "serve", "fraud_detector"], env=env, capture_output=True, text=True, check=False
        )
    assert done.returncode == 2
    assert f"port {ports.admin}: end that process" in done.stderr
    assert not (tmp_path / "home" / "logs").exists()
