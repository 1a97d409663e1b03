"""The loopback ports of one model's serving and router."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from dataclasses import astuple, dataclass

__all__ = ["Ports", "free_ports"]

HOST = "127.0.0.1"
RANGE = range(
    20_000, 30_000
)  # outgoing connections begin at 32768 (Linux) or 49152, Kubernetes' node ports at 30000


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
    """Different ports that nobody listens on, below those that systems hand to outgoing connections.

    One of those would be lost to a stranger's connection whenever its owner is down for a moment.
    """
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.sample(RANGE, len(RANGE)):
            held = stack.enter_context(socket.socket())
            try:
                held.bind((HOST, port))
            except OSError:
                continue
            found.append(port)
            if len(found) == count:
                break
    return found


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0
