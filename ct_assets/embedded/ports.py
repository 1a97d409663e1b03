"""The loopback ports of one model's serving and router."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import astuple, dataclass

__all__ = ["Ports", "free_ports"]

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each part listens."""

    router: int = 8080
    """Users send their requests here."""
    champion: int = 8000
    challenger: int = 8001
    shadow: int = 8002
    """The challenger's port for copies of live requests."""
    admin: int = 9901
    """Envoy's own interface."""

    def taken(self) -> list[int]:
        """Those that somebody listens on."""
        return [port for port in astuple(self) if _listening(port)]


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind((HOST, 0))
        return [int(item.getsockname()[1]) for item in sockets]


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0
