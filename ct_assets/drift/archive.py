"""The stored verdicts and reports: one JSON and one HTML a day, in the lake. The newest judgement of a day stands."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date

import msgspec

from ct_assets.drift.verdict import DriftVerdict, decode, encode
from ct_assets.lake.layout import report_key, verdict_key
from ct_assets.lake.store import Lake

__all__ = ["read_verdict", "read_verdicts", "store_verdict"]

_log = logging.getLogger(__name__)


def store_verdict(lake: Lake, verdict: DriftVerdict, html: bytes | None) -> None:
    """Report first, verdict last: a verdict never points at a report that is not there."""
    if html is not None:
        lake.put(report_key(verdict.model, verdict.day), html)
    lake.put(verdict_key(verdict.model, verdict.day), encode(verdict))


def read_verdict(lake: Lake, model: str, day: date) -> DriftVerdict | None:
    """The verdict of a day, or None where there is none that this code can read.

    One of another layout (written before an upgrade) is as good as none: the rows are there, so the day is
    judged again, while an error would stop every tick of the model's sensors.
    """
    key = verdict_key(model, day)
    body = lake.get(key)
    if body is None:
        return None
    try:
        return decode(body)
    except msgspec.MsgspecError as error:
        _log.warning("%s: not a verdict of this version (%s); the day counts as not judged", key, error)
        return None


def read_verdicts(lake: Lake, model: str, days: Iterable[date]) -> dict[date, DriftVerdict]:
    """The verdicts of those of `days` that have one."""
    found = {day: read_verdict(lake, model, day) for day in days}
    return {day: verdict for day, verdict in found.items() if verdict is not None}
