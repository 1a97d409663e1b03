"""Writes Envoy's bootstrap for a deployment by names, from the code that starts the embedded Envoy.

    python deploy/envoy/bootstrap.py > deploy/envoy/bootstrap.json

Mount the route folder at ROUTES, writable for the code location only, and keep the admin port inside.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ct_assets.rollout.routers.envoy_process import Addresses, bootstrap

ROUTES = Path("/var/lib/ct/router/fraud_detector")
ADDRESSES = Addresses(
    listener="0.0.0.0:8080",
    admin="0.0.0.0:9901",
    champion=["champion:8000"],
    challenger="challenger:8000",
    challenger_shadow="challenger:8002",
)


def sample() -> str:
    return json.dumps(bootstrap(ADDRESSES, ROUTES), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(sample())
