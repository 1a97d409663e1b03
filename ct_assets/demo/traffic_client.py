"""Replays transactions as HTTP requests at speed, labels as feedback, and keeps count of every answer."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
import msgspec
import polars as pl

__all__ = ["Answers", "TrafficClient"]

CONCURRENCY = 24  # enough to keep two cores busy; more only queues
FEEDBACK_ROWS = 5_000
TIMEOUT = aiohttp.ClientTimeout(total=15)


@dataclass
class Answers:
    """What came back."""

    served: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    """The first few, in words."""
    by_version: Counter[str] = field(default_factory=Counter)
    labels: int = 0

    def fail(self, what: str) -> None:
        self.failed += 1
        if len(self.failures) < 10:
            self.failures.append(what)


class TrafficClient:
    """Sends rows of a transactions frame to the router, as the users of the model would."""

    def __init__(
        self, url: str, *, feedback_url: str, entity: str, features: Sequence[str], label: str
    ) -> None:
        self.answers = Answers()
        self._url = url
        self._feedback_url = feedback_url
        self._entity = entity
        self._features = list(features)
        self._label = label

    async def replay(self, rows: pl.DataFrame, on_progress: Callable[[int], None] = lambda _: None) -> None:
        """One request a row; returns when all are answered."""
        bodies = iter(self._bodies(rows))
        async with self._session() as session:
            await asyncio.gather(*(self._worker(session, bodies, on_progress) for _ in range(CONCURRENCY)))

    async def trickle(self, rows: pl.DataFrame, *, per_s: float, until: asyncio.Event) -> None:
        """Live traffic at a steady rate until told to stop: the rows again and again, each time as new requests."""
        if rows.is_empty():
            raise ValueError("live traffic needs rows to send")
        due = asyncio.get_running_loop().time()
        lap = 0
        async with self._session() as session, asyncio.TaskGroup() as tasks:
            while not until.is_set():
                lap += 1
                for entity, body in self._bodies(rows, suffix=f"-live{lap}"):
                    if until.is_set():
                        break
                    tasks.create_task(self._send(session, entity, body))
                    due += 1 / per_s
                    await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))

    async def feedback(self, rows: pl.DataFrame) -> None:
        """Sends the labels of `rows` with their label times."""
        labels = [
            {"request_id": request, "label": label, "label_time": _rfc3339(at)}
            for request, label, at in rows.select("request_id", self._label, "label_time").iter_rows()
        ]
        async with self._session() as session:
            for start in range(0, len(labels), FEEDBACK_ROWS):
                part = labels[start : start + FEEDBACK_ROWS]
                status, content = await self._post(session, self._feedback_url, msgspec.json.encode(part), {})
                if 200 <= status < 300:
                    self.answers.labels += len(part)
                else:
                    self.answers.fail(f"feedback: {status or ''} {_words(content)}")

    def _bodies(self, rows: pl.DataFrame, suffix: str = "") -> Iterable[tuple[str, bytes]]:
        columns = ["request_id", "event_time", self._entity, *self._features]
        for request, at, entity, *values in rows.select(columns).iter_rows():
            body = {
                "request_id": request + suffix,
                "event_time": _rfc3339(at),
                "entity": entity,
                "features": dict(zip(self._features, map(_missing, values), strict=True)),
            }
            yield entity, msgspec.json.encode(body)

    async def _worker(
        self, session: aiohttp.ClientSession, bodies: Any, on_progress: Callable[[int], None]
    ) -> None:
        for entity, body in bodies:
            await self._send(session, entity, body)
            on_progress(1)

    async def _send(self, session: aiohttp.ClientSession, entity: str, body: bytes) -> None:
        status, content = await self._post(session, self._url, body, {"x-entity-id": entity})
        if status != 200:
            self.answers.fail(f"{status or ''} {_words(content)}")
            return
        try:
            version = msgspec.json.decode(content, type=_Answer).model_version
        except msgspec.MsgspecError as error:
            self.answers.fail(f"200 with no answer ({error}): {_words(content)}")
        else:
            self.answers.served += 1
            self.answers.by_version[version] += 1

    async def _post(
        self, session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        """Status and body; status 0 and the error where there was no answer."""
        try:
            async with session.post(url, data=body, headers={**_JSON, **headers}) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return 0, f"{type(error).__name__}: {error}".encode()

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=TIMEOUT, connector=aiohttp.TCPConnector(limit=CONCURRENCY))


_JSON = {"content-type": "application/json"}


class _Answer(msgspec.Struct):
    """What of an answer is looked at."""

    model_version: str


def _words(content: bytes) -> str:
    return content[:200].decode(errors="replace")


def _rfc3339(at: datetime) -> str:
    return at.isoformat()


def _missing(value: Any) -> Any:
    """JSON has no NaN: a missing number travels as null."""
    return None if isinstance(value, float) and math.isnan(value) else value
