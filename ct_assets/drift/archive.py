"""The stored verdicts and reports: one JSON and one HTML a day, in the lake. The newest judgement of a day stands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from ct_assets.drift.verdict import DriftVerdict, decode, encode
from ct_assets.lake.layout import report_key, verdict_key
from ct_assets.lake.store import Lake

__all__ = ["read_verdict", "read_verdicts", "store_verdict"]


def store_verdict(lake: Lake, verdict: DriftVerdict, html: bytes | None) -> None:
    """Report first, verdict last: a verdict never points at a report that is not there."""
    if html is not None:
        lake.put(report_key(verdict.model, verdict.day), html)
    lake.put(verdict_key(verdict.model, verdict.day), encode(verdict))


def read_verdict(lake: Lake, model: str, day: date) -> DriftVerdict | None:
    body = lake.get(verdict_key(model, day))
    return None if body is None else decode(body)


def read_verdicts(lake: Lake, model: str, days: Iterable[date]) -> dict[date, DriftVerdict]:
    """The verdicts of those of `days` that have one."""
    found = {day: read_verdict(lake, model, day) for day in days}
    return {day: verdict for day, verdict in found.items() if verdict is not None}
