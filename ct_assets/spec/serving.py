"""What the serving process accepts, how it writes its log, and where its endpoints are."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ct_assets.spec.base import Part, Urls

__all__ = ["ServingSpec"]


class ServingSpec(Part):
    """What the serving process accepts and how it writes its log."""

    max_age_s: Annotated[float, Field(gt=0)] = 3_600.0
    """How far back a request's own event_time or label_time may lie."""
    max_ahead_s: Annotated[float, Field(ge=0)] = 60.0
    """How far ahead of the server's clock it may lie."""
    flush_rows: Annotated[int, Field(ge=1)] = 100
    """Rows of the log that are shipped to the lake together..."""
    flush_s: Annotated[float, Field(gt=0)] = 1.0
    """...or what came in this many seconds, if that is sooner."""
    follow_s: Annotated[float, Field(gt=0)] = 1.0
    """Seconds between two looks at the registry's aliases."""
    champion_urls: Urls = ("http://127.0.0.1:8000",)
    """Every endpoint that must report the new version before a rollout ends."""
    challenger_urls: Urls = ("http://127.0.0.1:8001",)
    """Every endpoint that must report the challenger before a rollout begins."""
