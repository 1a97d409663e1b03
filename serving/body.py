"""Reads a request's body up to a limit in bytes, and its x-request-id header, straight from ASGI."""

from __future__ import annotations

from starlette.types import Receive, Scope

from serving.faults import Fault, Invalid

__all__ = ["Disconnected", "read_body", "request_id_header"]


class Disconnected(Exception):
    """The client went away before it had sent its request: there is nobody to answer."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """The body, at most `limit` bytes; raises Invalid as soon as it is longer, Disconnected."""
    message = await receive()
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise Invalid(
                Fault(
                    "#", f"longer than {limit:,} bytes", "send one row a request, and labels in shorter lists"
                )
            )
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        message = await receive()


def request_id_header(scope: Scope) -> str | None:
    """The x-request-id that a proxy or client gave; raises Invalid where it is no printable ASCII of 1 to 128."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            if 1 <= len(text) <= 128 and text.isascii() and text.isprintable():
                return text
            raise Invalid(
                Fault(
                    "x-request-id",
                    "unusable header",
                    "send 1 to 128 printable ASCII characters, or leave it out",
                )
            )
    return None
