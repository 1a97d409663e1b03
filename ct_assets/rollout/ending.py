"""How a rollout ended: the record that the last op of a run returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ct_assets.rollout.state import Phase, StepRecord

__all__ = ["Ending"]


@dataclass(frozen=True, slots=True)
class Ending:
    """`phase` is promoted or rolled_back; `champion` is the version that alias champion names now, if any."""

    phase: Phase
    rollout: str
    version: str
    champion: str | None
    reason: str
    history: tuple[StepRecord, ...]
    evidence: dict[str, Any]
