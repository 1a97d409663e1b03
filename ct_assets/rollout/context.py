"""What an op hands to the rollout: where the route, the registry and the servers are, who asks, and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from ct_assets.rollout.look import serving_version
from ct_assets.rollout.plan import RolloutDecision
from ct_assets.rollout.routers.base import Router
from ct_assets.rollout.state import RouteState, StepRecord
from ct_assets.rollout.supervise import STALE_S
from ct_assets.spec import RolloutSpec

if TYPE_CHECKING:
    from ct_assets.ledger import Entry

__all__ = [
    "NotOwner",
    "Registered",
    "Registry",
    "RolloutContext",
    "RolloutError",
    "Say",
    "ServingBehind",
    "Superseded",
    "evidence_of",
    "ledger_entry",
    "silent",
]


class RolloutError(RuntimeError):
    """The rollout cannot do what was asked in the state it is in."""


class NotOwner(RolloutError):
    """Another run steers this rollout and is alive."""


class Superseded(RolloutError):
    """Another run has taken this rollout over: stop, and touch nothing."""


class ServingBehind(RolloutError):
    """Serving or the router did not follow in time. Nothing is lost: a rerun waits again."""


class Registered(Protocol):
    """A registered version."""

    @property
    def version(self) -> str: ...


class Registry(Protocol):
    """The part of the model registry that a rollout moves."""

    def by_alias(self, alias: str) -> Registered | None: ...

    def set_alias(self, alias: str, version: str) -> None: ...

    def clear_alias(self, alias: str, *, only_if: str | None = None) -> bool: ...

    def tag(self, version: str, **tags: str) -> None: ...


class Say(Protocol):
    """Told once per decision: action, reason in words, evidence (JSON types; see `evidence_of`)."""

    def __call__(self, action: str, reason: str, evidence: dict[str, Any]) -> None: ...


def silent(action: str, reason: str, evidence: dict[str, Any]) -> None:
    """Tells nobody."""


@dataclass(frozen=True, kw_only=True)
class RolloutContext:
    """Everything that one run needs; cheap to build anew in each op, since it holds no state."""

    router: Router
    registry: Registry
    spec: RolloutSpec
    owner: str
    """Id of the run: the same in all its ops, different in every other run."""
    champion_urls: tuple[str, ...]
    challenger_urls: tuple[str, ...]
    say: Say = silent
    serving: Callable[[str], str | None] = serving_version
    """Version that an endpoint reports, by its base URL."""
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    poll_s: float = 1.0
    beat_s: float = 10.0
    stale_s: float = STALE_S
    """An owner that has not beaten for this long may be replaced."""
    follow_s: float = 120.0
    """How long a promotion waits for serving, and for the router to take the last route."""

    def __post_init__(self) -> None:
        for name, urls in (("champion_urls", self.champion_urls), ("challenger_urls", self.challenger_urls)):
            if not urls:
                raise ValueError(f"{name} is empty: without an endpoint to ask, readiness would be a guess")
        if self.beat_s >= self.stale_s:
            raise ValueError(
                f"beat_s={self.beat_s} must be shorter than stale_s={self.stale_s}: a living owner would be replaced"
            )


def evidence_of(
    state: RouteState, at: float, told: RolloutDecision | StepRecord | None = None
) -> dict[str, Any]:
    """The evidence of a ledger row: whose rollout, when (epoch s), and the numbers."""
    numbers: dict[str, Any] = {}
    if isinstance(told, RolloutDecision):
        numbers = {"cause": told.cause.value, **told.evidence}
    elif told is not None:
        numbers = {
            "stage": told.stage,
            "weight": told.weight,
            "seconds": round(told.ended - told.started, 3),
            "log_e": told.log_e,
            **{f"{v}_requests": getattr(told.seen, v).sane.n for v in ("champion", "challenger", "shadow")},
            **{f"{v}_failures": getattr(told.seen, v).sane.k for v in ("champion", "challenger", "shadow")},
        }
    who = {"rollout": state.rollout, "challenger": state.challenger, "champion": state.champion}
    return {**who, "owner": state.owner, "attempt": state.attempts, "at": at, **numbers}


def ledger_entry(model: str, action: str, reason: str, evidence: Mapping[str, Any]) -> Entry:
    """The ledger row of what `say` was told. Told again after a crash, it is the same row, which the ledger drops."""
    from ct_assets.ledger import Entry

    return Entry(
        at=datetime.fromtimestamp(float(evidence["at"]), tz=UTC),
        model=model,
        kind="rollout",
        action=action,
        reason=reason,
        version=evidence["challenger"],
        evidence={key: value for key, value in evidence.items() if key not in ("at", "owner", "attempt")},
    )
