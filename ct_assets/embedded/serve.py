"""`ct serve`: the embedded serving stack of one model on its usual ports, until Ctrl-C."""

from __future__ import annotations

import os
import time
from dataclasses import astuple
from typing import NoReturn
from urllib.parse import urlparse

from rich.console import Console
from rich.markup import escape

from ct_assets.catalog import SpecError, load_spec
from ct_assets.embedded.ports import HOST, Ports
from ct_assets.embedded.processes import Processes
from ct_assets.embedded.stack import readiness, start_stack
from ct_assets.settings import Settings
from ct_assets.spec import ModelSpec

__all__ = ["ports_of", "serve_until_interrupted"]


def ports_of(spec: ModelSpec) -> Ports:
    """The ports that the spec's addresses name: rollouts look for the endpoints there."""
    usual = Ports()
    champion = _port(spec.serving.champion_urls, "serving.champion_urls", usual.champion)
    challenger = _port(spec.serving.challenger_urls, "serving.challenger_urls", usual.challenger)
    admin = _port((spec.rollout.envoy_admin_url,), "rollout.envoy_admin_url", usual.admin)
    ports = Ports(champion + 80, champion, challenger, shadow=challenger + 1, admin=admin)
    if len(set(astuple(ports))) < len(astuple(ports)):
        raise SpecError(
            f"{spec.model}: two parts would share a port ({ports}): the router takes the champion's + 80, shadow "
            "traffic the challenger's + 1; set other URLs in CT_OVERLAY"
        )
    return ports


def serve_until_interrupted(model: str, settings: Settings, console: Console) -> None:
    """Starts champion, challenger and Envoy, starts again what dies, and stops all at the end.

    Raises:
        SpecError: where a port is taken, or an address of the spec is none of this machine.
        ProcessDied: where one of the three keeps dying.
    """
    spec = load_spec(model, overlay=settings.overlay)
    ports = ports_of(spec)
    if taken := ports.taken():
        listed = ", ".join(map(str, taken))
        raise SpecError(
            f"{model}: somebody listens on {HOST}, port {listed}: end that process, or set other URLs in CT_OVERLAY "
            "(serving.champion_urls, serving.challenger_urls, rollout.envoy_admin_url)"
        )
    logs = settings.home.absolute() / "logs"
    with Processes(logs) as processes:
        try:
            start_stack(processes, model, ports, settings.routes / model, os.environ)
            console.print(
                f"{model}: requests http://{HOST}:{ports.router}/predict, docs http://{HOST}:{ports.router}/docs\n"
                f"champion {ports.champion}, challenger {ports.challenger} (shadow {ports.shadow}), "
                f"Envoy admin {ports.admin}; logs in {logs}\nCtrl-C ends all of them",
                highlight=False,
                soft_wrap=True,
            )
            _tend(processes, f"http://{HOST}:{ports.champion}/readyz", console)
        except KeyboardInterrupt:
            console.print("stopping")


def _tend(processes: Processes, readyz: str, console: Console) -> NoReturn:
    said: tuple[bool, str] = (False, "")
    while True:
        for name in processes.keep_alive():
            console.print(f"[yellow]{name} died and was started again[/]")
        now = readiness(readyz)
        if now != said and any(now):  # neither ready nor a reason: it is on its way
            ready, detail = said = now
            hint = "; `ct retrain` trains a first one" if "no model has alias" in detail else ""
            console.print(
                "[green]a champion is served[/]" if ready else f"[yellow]{escape(detail)}[/]{hint}",
                highlight=False,
                soft_wrap=True,
            )
        time.sleep(1)


def _port(urls: tuple[str, ...], key: str, usual: int) -> int:
    url = urlparse(urls[0])
    if len(urls) > 1 or url.hostname not in (HOST, "localhost"):
        raise SpecError(
            f"{key}: `ct serve` runs one endpoint on {HOST}, e.g. http://{HOST}:{usual}; it says {', '.join(urls)}"
        )
    return url.port or 80
