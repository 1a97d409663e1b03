"""The canary rollout: shadow, 10, 50, 100 percent, then champion, or back at the first proof of harm.

A run calls `begin`, then `run_stage` for each of `stages(spec.rollout)`, then `promote` or `rollback`; a
sensor calls `supervise`. All state is in the route, so every call may be killed and repeated.
"""

from ct_assets.rollout.begin import begin
from ct_assets.rollout.context import (
    NotOwner,
    RolloutContext,
    RolloutError,
    ServingBehind,
    Superseded,
    ledger_entry,
)
from ct_assets.rollout.ending import Ending
from ct_assets.rollout.plan import Action, Observation, RolloutDecision, observe, stages
from ct_assets.rollout.promote import promote
from ct_assets.rollout.rollback import rollback
from ct_assets.rollout.routers import Addresses, Conflict, EnvoyRouter, Router, RouterError, envoy
from ct_assets.rollout.stage import StageResult, run_stage
from ct_assets.rollout.state import Phase, Route, RouteState, Stage, StepRecord
from ct_assets.rollout.supervise import RunFacts, Supervision, SupervisionAction, subject, supervise

__all__ = [
    "Action",
    "Addresses",
    "Conflict",
    "Ending",
    "EnvoyRouter",
    "NotOwner",
    "Observation",
    "Phase",
    "RolloutContext",
    "RolloutDecision",
    "RolloutError",
    "Route",
    "RouteState",
    "Router",
    "RouterError",
    "RunFacts",
    "ServingBehind",
    "Stage",
    "StageResult",
    "StepRecord",
    "Superseded",
    "Supervision",
    "SupervisionAction",
    "begin",
    "envoy",
    "ledger_entry",
    "observe",
    "promote",
    "rollback",
    "run_stage",
    "stages",
    "subject",
    "supervise",
]
