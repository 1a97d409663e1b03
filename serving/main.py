"""Starts a serving process: `python -m serving --model fraud_detector --variant champion --port 8000`.

One uvicorn server listens on one or two sockets: the live port, and with `--shadow-port` a second one
whose requests are logged as shadow. SIGTERM stops accepting, finishes what is in flight, writes the logs
out and ends with status 0.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

import uvicorn

from ct_assets.catalog import SpecError, load_spec
from ct_assets.lake.store import Lake
from ct_assets.registry.store import Registry
from ct_assets.settings import Settings
from serving.app import create_app
from serving.settings import ServingSettings

__all__ = ["main"]

GRACE_S = 10  # for requests in flight, before the logs are written out
_BACKLOG = 2_048
_log = logging.getLogger("serving")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs until a signal; returns the exit status. `argv`: without the program's name."""
    args = _parser().parse_args(argv)
    signal.signal(
        signal.SIGTERM, _end
    )  # uvicorn stops gracefully, then raises the signal again: this ends it with 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("uvicorn.error", "alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    deployment = Settings()
    try:
        spec = load_spec(args.model, overlay=deployment.overlay)
        sockets = [_listen(args.host, port) for port in (args.port, args.shadow_port) if port is not None]
    except (SpecError, OSError) as error:
        _log.error("cannot start: %s", error)
        return 2
    app = create_app(
        spec,
        variant=args.variant,
        registry=Registry(deployment.mlflow, spec.registered_model),
        lake=Lake(deployment.lake),
        shadow_port=args.shadow_port,
        settings=ServingSettings(),
    )
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        backlog=_BACKLOG,
    )
    _log.info("%s %s: listening on %s", spec.model, args.variant, ", ".join(map(_address, sockets)))
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=sockets)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving", description="Serve the model that a registry alias names."
    )
    parser.add_argument("--model", required=True, help="folder under ct_assets/defs, e.g. fraud_detector")
    parser.add_argument(
        "--variant",
        choices=("champion", "challenger"),
        default=os.environ.get("CT_VARIANT", "champion"),
        help="the alias to follow (default: CT_VARIANT, or champion)",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--shadow-port", type=int, help="a second port whose requests are logged as shadow")
    return parser


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG
        )
    except OSError as error:
        raise OSError(
            f"{host}:{port}: {error.strerror}; end the process that holds the port, or give another --port"
        ) from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"{host}:{port}"


def _end(*_: object) -> NoReturn:
    sys.exit(0)
