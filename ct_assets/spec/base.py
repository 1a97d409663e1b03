"""What every part of the spec shares: it is immutable, strict about its keys, and its numbers have bounds."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails

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

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_nearest_key(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Says the fix wherever the spec is read: by `ct`, by serving, and by Dagster, which shows pydantic's words."""
        try:
            return handler(data)
        except ValidationError as error:
            lines = [_line(detail, sorted(cls.model_fields)) for detail in error.errors()]
            raise ValidationError.from_exception_data(cls.__name__, lines) from None


def _line(detail: ErrorDetails, known: list[str]) -> InitErrorDetails:
    """The same error; an unknown key as a plain value error, which Dagster can show with file and line."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        near = get_close_matches(str(detail["loc"][-1]), known, n=1)
        fix = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
        kind, context = "value_error", {"error": ValueError(f"unknown key; {fix}")}
    return InitErrorDetails(type=kind, loc=detail["loc"], input=detail["input"], ctx=context)
