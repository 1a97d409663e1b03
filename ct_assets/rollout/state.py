"""What a rollout remembers. All of it lives in the route itself, so that no process holds state.

Times are epoch seconds, weights percent, rates 0..1. A record is never changed: a transition
(`plan.py`) gives a new one, and a router writes it by compare-and-set.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Count", "Counters", "Phase", "Route", "RouteState", "Seen", "Stage", "StepRecord"]


class Phase(StrEnum):
    """Where a rollout stands."""

    IDLE = "idle"
    STAGE = "stage"
    PROMOTING = "promoting"
    PROMOTED = "promoted"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"

    @property
    def open(self) -> bool:
        """Whether somebody still has to do something."""
        return self in (Phase.STAGE, Phase.PROMOTING, Phase.ROLLING_BACK)

    @property
    def undone(self) -> bool:
        return self in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)


class Stage(msgspec.Struct, frozen=True):
    """One stage of a plan: how many percent the challenger answers, and how many are copied to it."""

    name: str
    weight: int
    mirror_percent: int = 0

    @property
    def shadow(self) -> bool:
        """Whether the challenger's answers are thrown away."""
        return self.weight == 0


class Count(msgspec.Struct, frozen=True):
    """`n` requests completed, of which `k` failed. A failure that a retry hid from the user is a failure."""

    n: int = 0
    k: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.n + other.n, self.k + other.k)

    def __sub__(self, other: Count) -> Count:
        return Count(self.n - other.n, self.k - other.k)

    @property
    def rate(self) -> float | None:
        """Share that failed; None where nothing was seen."""
        return self.k / self.n if self.n else None

    @property
    def sane(self) -> Count:
        """With 0 <= k <= n: a failure may be counted before its request has completed."""
        k = max(0, self.k)
        return Count(max(self.n, k), k)


class Seen(msgspec.Struct, frozen=True):
    """Evidence by variant, never pooled."""

    champion: Count = Count()
    challenger: Count = Count()
    shadow: Count = Count()


class Counters(msgspec.Struct, frozen=True):
    """One reading of a router's raw counters, which only grow within an `epoch` (a start of the router)."""

    epoch: str
    champion: Count = Count()
    challenger: Count = Count()
    shadow: Count = Count()


class StepRecord(msgspec.Struct, frozen=True):
    """A stage that ended, with what it ended on."""

    stage: str
    weight: int
    started: float
    ended: float
    seen: Seen
    log_e: float
    """Natural log of the e-value against "the challenger is within its limit"."""
    passed: bool
    reason: str


class RouteState(msgspec.Struct, frozen=True, kw_only=True):
    """The rollout that a route carries, or the last one that it carried."""

    sequence: int = 0
    """Rollouts opened on this route so far."""
    rollout: str = ""
    """Id, `<sequence>-v<challenger>`; empty until the first one opens."""
    champion: str | None = None
    """Version that the rollout began with; None: the first champion, promoted without steps."""
    challenger: str | None = None
    phase: Phase = Phase.IDLE
    plan: tuple[Stage, ...] = ()
    """A rollout ends under the plan that it began with, whatever the YAML says meanwhile."""
    step: int = -1
    """Index in `plan` of the stage last entered; -1 before the first."""
    weight: int = 0
    mirror_percent: int = 0
    since: float = 0.0
    """When the present stage was entered, or the wait for it began."""
    taken: float | None = None
    """When the router was first seen to have the stage's weights: the bake time counts from here."""
    alias_moved: bool = False
    """The promotion began: alias `champion` may already name the challenger."""
    owner: str = ""
    """Run that steers."""
    beat: float = 0.0
    """Last sign of life of the owner."""
    attempts: int = 0
    """Owners so far."""
    mark: Counters | None = None
    """Raw counters up to which `seen` has counted."""
    seen: Seen = Seen()
    """Evidence of the present stage, and of the time between it and the one before."""
    history: tuple[StepRecord, ...] = ()
    reason: str = ""
    """Why it was rolled back."""

    @property
    def entered(self) -> bool:
        """Whether a stage is entered and not yet passed."""
        return self.step == len(self.history)

    @property
    def stage(self) -> Stage:
        """The stage that counts now: the one entered, or the next to enter. IndexError past the last."""
        return self.plan[len(self.history)]

    @property
    def all_passed(self) -> bool:
        return len(self.history) == len(self.plan)

    @property
    def passed(self) -> tuple[str, ...]:
        return tuple(record.stage for record in self.history)

    @property
    def judged(self) -> Count:
        """The challenger's evidence at the stage entered."""
        return (self.seen.shadow if self.stage.shadow else self.seen.challenger).sane


class Route(msgspec.Struct, frozen=True):
    """A state and the version of the route that holds it; each write raises the version by one."""

    version: int
    state: RouteState
