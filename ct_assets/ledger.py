"""The ledger: every decision as a row in the lake, written once and never changed. MLflow tags are a copy."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec

from ct_assets.lake.store import Lake

__all__ = ["Entry", "Ledger"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Who decided what, when, why, on what evidence."""

    at: datetime
    model: str
    kind: str
    """drift | trigger | training | gate | rollout | champion"""
    action: str
    """e.g. retrain, wait, hold, promote, reject, rollback"""
    reason: str
    day: str | None = None
    """As-of or judged day, ISO."""
    version: str | None = None
    run_id: str | None = None
    actor: str = "system"
    evidence: dict[str, Any] = {}


class Ledger:
    """Rows of one lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def append(self, entry: Entry) -> bool:
        """Writes the row; False where the very same row stands already (a retried op)."""
        body = msgspec.json.encode(entry)
        at = entry.at.astimezone(UTC)
        name = f"{at:%Y%m%dT%H%M%S.%f}-{entry.kind}-{hashlib.sha256(body).hexdigest()[:8]}.json"
        return self._lake.create(f"ledger/{entry.model}/{at:%Y/%m}/{name}", body)

    def read(self, model: str, *, kind: str | None = None) -> list[Entry]:
        """All rows of a model in the order of their time."""
        keys = sorted(o.key for o in self._lake.list(f"ledger/{model}/"))
        wanted = [k for k in keys if kind is None or f"-{kind}-" in k.rsplit("/", 1)[-1]]
        return [msgspec.json.decode(body, type=Entry) for key in wanted if (body := self._lake.get(key)) is not None]
