"""Decides whether a rollout needs a run: start one, take one over, roll one back, or leave it alone. Pure.

The sensor calls this at every tick; what it decides depends only on what stands in the route, in the
registry and in the list of runs, so a lost tick or a repeated one changes nothing. A failed run is a crash,
never a verdict: the rollout is taken over and resumes. Verdicts are in the route. Times are epoch seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ct_assets.rollout.state import Phase, RouteState
from ct_assets.rollout.transitions import rollout_id

__all__ = [
    "MAX_ATTEMPTS",
    "STALE_S",
    "START_UP_S",
    "RunFacts",
    "Supervision",
    "SupervisionAction",
    "alias_moved",
    "subject",
    "supervise",
]

STALE_S = 30.0
"""An owner beats every 10 s; three beats missed and it is taken for dead."""
START_UP_S = 120.0
"""A run that has left the queue gets this long to take the route. After it, only the beat counts: of runs that
were killed together with the orchestrator's own processes, nobody ever says that they are dead."""
MAX_ATTEMPTS = 3
"""Runs that try to finish a rollout before it is rolled back, and again as many that try to roll back."""


class SupervisionAction(StrEnum):
    NOTHING = "nothing"
    START = "start"
    TAKE_OVER = "take_over"
    ROLLBACK = "rollback"
    """A run with `action: rollback`; it begins with `force=True`, since no living owner is in its way."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The runs that carry this rollout's id (`rollout_id`), as the orchestrator knows them."""

    started: int = 0
    """How many there were."""
    queued: bool = False
    """Whether one waits for its turn: the queue outlives every process, and it will come."""
    alive: bool = False
    """Whether one is queued, starting, started or cancelling, as far as the orchestrator knows."""
    cancelled: bool = False
    """Whether any was cancelled: a person said stop, and a later crash does not unsay it."""
    newest_at: float | None = None
    """When one of them last changed its status."""


@dataclass(frozen=True, slots=True)
class Supervision:
    """What the sensor does. `run_key` is the same at every tick that decides the same."""

    action: SupervisionAction
    reason: str
    rollout: str = ""
    run_key: str | None = None


def supervise(
    route: RouteState, challenger: str | None, champion: str | None, now: float, runs: RunFacts
) -> Supervision:
    """One tick.

    Args:
        route: state that the route carries.
        challenger: version under alias `challenger`, or None.
        champion: version under alias `champion`, or None.
        now: epoch seconds.
        runs: facts of the runs of `subject(route, challenger)`.
    """
    if route.phase.open:
        return _open(route, challenger, champion, now, runs)
    if challenger is None:
        return Supervision(SupervisionAction.NOTHING, "no challenger")
    if challenger == champion:
        return Supervision(SupervisionAction.NOTHING, f"challenger v{challenger} is the champion already")
    return _unopened(rollout_id(route, challenger), challenger, champion, now, runs)


def subject(route: RouteState, challenger: str | None) -> str | None:
    """Id of the rollout that a tick is about, which its runs are tagged with; None: there is none."""
    if route.phase.open:
        return route.rollout
    return rollout_id(route, challenger) if challenger is not None else None


def _unopened(rollout: str, challenger: str, champion: str | None, now: float, runs: RunFacts) -> Supervision:
    if runs.queued or _starting(runs, now):
        return Supervision(SupervisionAction.NOTHING, f"rollout {rollout}: its run is starting", rollout)
    if runs.cancelled:
        return _undo(rollout, "its run was cancelled", runs, runs.started)
    if runs.started >= MAX_ATTEMPTS:
        return _undo(rollout, f"{runs.started} runs died before they began", runs, runs.started)
    against = f"against champion v{champion}" if champion else "as the first champion, without steps"
    reason = f"challenger v{challenger} starts {against}"
    return Supervision(SupervisionAction.START, reason, rollout, f"{rollout}:{runs.started + 1}")


def _open(
    route: RouteState, challenger: str | None, champion: str | None, now: float, runs: RunFacts
) -> Supervision:
    rollout, silent_s = route.rollout, now - route.beat
    if runs.queued or _starting(runs, now) or (runs.alive and silent_s < STALE_S):
        return Supervision(SupervisionAction.NOTHING, f"rollout {rollout}: its run is alive", rollout)
    attempts = max(route.attempts, runs.started)
    if runs.cancelled:
        return _undo(rollout, "its run was cancelled", runs, attempts)
    if silent_s < STALE_S:
        reason = f"rollout {rollout}: owner {route.owner} beat {silent_s:.0f} s ago"
        return Supervision(SupervisionAction.NOTHING, reason, rollout)
    if attempts >= MAX_ATTEMPTS:
        return _undo(rollout, f"{attempts} runs could not finish it", runs, attempts)
    if route.phase is Phase.STAGE and (moved := alias_moved(route, challenger, champion)):
        return _undo(rollout, moved, runs, attempts)
    reason = f"rollout {rollout}: owner {route.owner} silent for {silent_s:.0f} s"
    return Supervision(SupervisionAction.TAKE_OVER, reason, rollout, f"{rollout}:{runs.started + 1}")


def alias_moved(route: RouteState, challenger: str | None, champion: str | None) -> str:
    """What somebody changed under an open rollout, in words; empty: nothing."""
    if challenger != route.challenger:
        return f"alias challenger moved from v{route.challenger} to {_name(challenger)} during the rollout"
    if champion != route.champion:
        return f"alias champion moved from {_name(route.champion)} to {_name(champion)} during the rollout"
    return ""


def _undo(rollout: str, why: str, runs: RunFacts, attempts: int) -> Supervision:
    if attempts >= 2 * MAX_ATTEMPTS:
        reason = f"rollout {rollout}: {attempts} runs, and it is not rolled back yet: left to a person"
        return Supervision(SupervisionAction.NOTHING, reason, rollout)
    key = f"{rollout}:rollback:{runs.started + 1}"
    return Supervision(SupervisionAction.ROLLBACK, f"rollout {rollout}: {why}", rollout, key)


def _starting(runs: RunFacts, now: float) -> bool:
    return runs.alive and runs.newest_at is not None and now - runs.newest_at < START_UP_S


def _name(version: str | None) -> str:
    return "none" if version is None else f"v{version}"
