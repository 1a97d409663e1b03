"""`ct serve`: the embedded serving stack of one model on its usual ports, until Ctrl-C."""

from __future__ import annotations

import os
import time
from urllib.parse import urlparse

from rich.console import Console

from ct_assets.catalog import SpecError, load_spec
from ct_assets.embedded.ports import HOST, Ports
from ct_assets.embedded.processes import Processes
from ct_assets.embedded.stack import answers, start_stack
from ct_assets.settings import Settings
from ct_assets.spec import ModelSpec

__all__ = ["ports_of", "serve_until_interrupted"]


def ports_of(spec: ModelSpec) -> Ports:
    """The ports that the spec's addresses name: rollouts look for the endpoints there."""
    usual = Ports()
    champion = _port(spec.serving.champion_urls, "serving.champion_urls", usual.champion)
    challenger = _port(spec.serving.challenger_urls, "serving.challenger_urls", usual.challenger)
    admin = _port((spec.rollout.envoy_admin_url,), "rollout.envoy_admin_url", usual.admin)
    return Ports(
        router=champion + 80, champion=champion, challenger=challenger, shadow=challenger + 1, admin=admin
    )


def serve_until_interrupted(model: str, console: Console) -> None:
    """Starts champion, challenger and Envoy, starts again what dies, and stops all at the end."""
    settings = Settings()
    ports = ports_of(load_spec(model, overlay=settings.overlay))
    if taken := ports.taken():
        raise SpecError(
            f"ports {taken} of {model} are in use: end what listens there, or set other URLs in CT_OVERLAY"
        )
    with Processes(settings.home.absolute() / "logs") as processes:
        start_stack(processes, model, ports, settings.routes / model, os.environ)
        console.print(
            f"{model}: requests http://{HOST}:{ports.router}/predict   docs http://{HOST}:{ports.router}/docs\n"
            f"champion {ports.champion}, challenger {ports.challenger}, Envoy admin {ports.admin}; "
            f"logs in {settings.home / 'logs'}. Ctrl-C ends all of them.",
            highlight=False,
        )
        ready = False
        try:
            while True:
                for name in processes.keep_alive():
                    console.print(f"[yellow]{name} died and was started again[/]")
                if not ready and answers(f"http://{HOST}:{ports.champion}/readyz"):
                    ready = True
                    console.print("[green]a champion is served[/]")
                time.sleep(1)
        except KeyboardInterrupt:
            console.print("stopping")


def _port(urls: tuple[str, ...], key: str, usual: int) -> int:
    url = urlparse(urls[0])
    if len(urls) > 1 or url.hostname not in (HOST, "localhost"):
        raise SpecError(
            f"{key}: `ct serve` runs one endpoint on {HOST}, e.g. http://{HOST}:{usual}; it says {', '.join(urls)}"
        )
    return url.port or 80
