"""What splits the traffic: one protocol, one folder entry per data plane."""

from ct_assets.rollout.routers.base import Conflict, Router, RouterError
from ct_assets.rollout.routers.envoy import EnvoyRouter
from ct_assets.rollout.routers.envoy_process import Addresses, envoy

__all__ = ["Addresses", "Conflict", "EnvoyRouter", "Router", "RouterError", "envoy"]
