"""Replies as bytes: JSON answers, and refusals as application/problem+json (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from starlette.types import Send

from serving.faults import Fault

__all__ = ["PROBLEM_JSON", "Reply", "json_reply", "problem"]

PROBLEM_JSON = "application/problem+json"
_encode = msgspec.json.Encoder().encode


class Reply(NamedTuple):
    """A whole HTTP response."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send) -> None:
        headers = [
            (b"content-type", self.content_type),
            (b"content-length", b"%d" % len(self.body)),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def json_reply(status: int, content: Any) -> Reply:
    return Reply(status, _encode(content))


def problem(
    status: int,
    detail: str,
    *,
    fault: Fault | None = None,
    request_id: str | None = None,
    retry_after_s: int | None = None,
) -> Reply:
    """A refusal. `type` is left at its default about:blank, so `title` is the status' own phrase.

    `fault` becomes the `errors` member in the form of RFC 9457's own example, with the fix beside it.
    """
    content: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if fault is not None:
        content["errors"] = [fault._asdict()]
    if request_id is not None:
        content["request_id"] = request_id
    headers = () if retry_after_s is None else ((b"retry-after", b"%d" % retry_after_s),)
    return Reply(status, _encode(content), PROBLEM_JSON.encode(), headers)
