"""The ledger: every decision as a row in the lake, written once and never changed. MLflow tags are a copy."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import msgspec

from ct_assets.lake.store import Lake

__all__ = ["Entry", "Ledger"]

_READERS = 8  # hides an object store's latency


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Who decided what, when, why, on what evidence."""

    at: datetime
    """When it was decided; aware."""
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
    """What the decision looked at: plain JSON values."""


def _plain(value: Any) -> Any:
    """numpy's scalars as Python's: a decision is not lost because its evidence was computed."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(
        f"ledger: evidence of type {type(value).__name__} is not plain JSON; turn it into numbers and words"
    )


class Ledger:
    """Rows of one lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def append(self, entry: Entry) -> bool:
        """Writes the row; False where the very same row stands already (a retried op).

        The same means the same content: the zone that `at` is told in and the order of the evidence's keys
        make no difference. Raises ValueError for a naive `at`, TypeError for evidence that is not plain JSON.
        """
        if entry.at.tzinfo is None:
            raise ValueError(
                f"ledger: {entry.kind} '{entry.action}' of {entry.model} at {entry.at} has no zone; use UTC"
            )
        at = entry.at.astimezone(UTC)
        body = msgspec.json.encode(
            msgspec.structs.replace(entry, at=at), enc_hook=_plain, order="deterministic"
        )
        name = f"{at:%Y%m%dT%H%M%S.%f}-{entry.kind}-{hashlib.sha256(body).hexdigest()[:8]}.json"
        return self._lake.create(f"ledger/{entry.model}/{at:%Y/%m}/{name}", body)

    def read(self, model: str, *, kind: str | None = None) -> list[Entry]:
        """All rows of a model in the order of their time; ValueError names a row that cannot be read."""
        keys = sorted(o.key for o in self._lake.list(f"ledger/{model}/"))
        wanted = [k for k in keys if kind is None or f"-{kind}-" in k.rsplit("/", 1)[-1]]
        with ThreadPoolExecutor(_READERS) as pool:
            return [entry for entry in pool.map(self._row, wanted) if entry is not None]

    def _row(self, key: str) -> Entry | None:
        body = self._lake.get(key)
        if body is None:  # removed between the listing and the read
            return None
        try:
            return msgspec.json.decode(body, type=Entry)
        except msgspec.DecodeError as error:
            raise ValueError(
                f"{key}: no row of the ledger ({error}); look at it, then move it away"
            ) from error
