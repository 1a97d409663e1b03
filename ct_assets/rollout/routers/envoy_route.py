"""Writes a rollout's state as an Envoy route configuration, and reads it back from one.

Predictions go to `champion` and `guarded` by weight. `guarded` tries the challenger, then the champion, so
a failing challenger costs a user a retry and not an answer; only idempotent requests may be retried, and a
prediction is one. The hash of `x-entity-id` keeps an entity on its variant while the weight grows (nobody
moves back); without the header Envoy picks at random. Everything else (feedback, health, metrics) goes to
`champion_other`, so that it neither counts as evidence nor is copied to a shadow.
The state is in the route's metadata, under `filter_metadata["ct.canary"]`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ct_assets.rollout.state import Phase, Route, RouteState

__all__ = ["METADATA", "PREDICTION_PREFIXES", "ROUTE_NAME", "parse", "render"]

ROUTE_NAME = "canary"
METADATA = "ct.canary"
ENTITY_HEADER = "x-entity-id"
PREDICTION_PREFIXES = ("/predict", "/v2/models/")
TIMEOUT_S = 10
TRY_TIMEOUT_S = 3
"""A challenger that hangs is given up after this long, and the champion answers."""


def render(state: RouteState, version: int) -> dict[str, Any]:
    """The DiscoveryResponse of a state.

    Raises:
        ValueError: for weights that no plan can ask for.
    """
    _check(state)
    action: dict[str, Any] = {
        "weighted_clusters": {
            "use_hash_policy": True,
            "clusters": [
                {"name": "champion", "weight": 100 - state.weight},
                {"name": "guarded", "weight": state.weight},
            ],
        },
        "hash_policy": [{"header": {"header_name": ENTITY_HEADER}}],
        "timeout": f"{TIMEOUT_S}s",
        "retry_policy": {
            "retry_on": "5xx,connect-failure,reset,refused-stream",
            "num_retries": 1,
            "per_try_timeout": f"{TRY_TIMEOUT_S}s",
            "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
        },
    }
    if state.mirror_percent:
        action["request_mirror_policies"] = [
            {
                "cluster": "challenger_shadow",
                "runtime_fraction": {
                    "default_value": {"numerator": state.mirror_percent, "denominator": "HUNDRED"}
                },
            }
        ]
    # Envoy skips an update whose content is what it has, and then never reports the version: so the content differs.
    metadata = {"filter_metadata": {METADATA: {"version": version, "state": msgspec.to_builtins(state)}}}
    predictions = [
        {"match": {"prefix": prefix}, "route": action, **({"metadata": metadata} if first else {})}
        for prefix, first in zip(PREDICTION_PREFIXES, (True, False), strict=True)
    ]
    other = {"match": {"prefix": "/"}, "route": {"cluster": "champion_other", "timeout": f"{TIMEOUT_S}s"}}
    return {
        "version_info": str(version),
        "resources": [
            {
                "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
                "name": ROUTE_NAME,
                "validate_clusters": True,  # otherwise a misnamed cluster is accepted, and answers 503
                "virtual_hosts": [{"name": "model", "domains": ["*"], "routes": [*predictions, other]}],
            }
        ],
    }


def parse(body: bytes) -> Route:
    """The route that a file holds.

    Raises:
        ValueError: says what is missing or malformed.
    """
    document = msgspec.json.decode(body)
    try:
        version = int(document["version_info"])
        state = document["resources"][0]["virtual_hosts"][0]["routes"][0]["metadata"]["filter_metadata"][
            METADATA
        ]["state"]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"no rollout state under filter_metadata['{METADATA}'] ({error!r})") from error
    return Route(version, msgspec.convert(state, RouteState))


def _check(state: RouteState) -> None:
    allowed = {0, *(stage.weight for stage in state.plan)}
    if state.weight not in allowed or not 0 <= state.weight <= 100 or not 0 <= state.mirror_percent <= 100:
        raise ValueError(
            f"rollout {state.rollout or '(none)'}: weight {state.weight} %, mirror {state.mirror_percent} % "
            f"are not of its plan (weights {sorted(allowed)})"
        )
    if state.weight and (state.phase.undone or state.phase in (Phase.IDLE, Phase.PROMOTED)):
        raise ValueError(
            f"rollout {state.rollout or '(none)'}: weight {state.weight} % in phase {state.phase.value}"
        )
