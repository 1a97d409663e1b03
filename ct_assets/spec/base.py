"""What every part of the spec shares: it is immutable, strict about its keys, and its numbers have bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["IDENTIFIER", "Part", "Percent", "Probability", "Url", "Urls"]

IDENTIFIER = r"[a-z][a-z0-9_]*"
"""A name that can be a column, an asset, a job and a metric label alike."""


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError(f"'{value}' is no address: write http://host:port")
    return value.rstrip("/")


def _http_urls(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_http_url(value) for value in values)


Probability = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[int, Field(ge=1, le=100)]
Url = Annotated[str, AfterValidator(_http_url)]
"""An http address without a slash at its end, so that a path can be put behind it."""
Urls = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_http_urls)]


class Part(BaseModel):
    """Base of every part: a misspelt key is an error, never silently ignored; infinity and NaN are no thresholds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
