"""Limits of a serving process: bytes and rows it will hold, seconds it will try. Prefix `CT_SERVING_`.

What the *model* accepts (time window, flush size, poll interval) stands in its spec; these limits protect
the process and are the same for every model.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["ServingSettings"]

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class ServingSettings(BaseSettings):
    """Read from the environment once, at the start."""

    model_config = SettingsConfigDict(
        env_prefix="CT_SERVING_", extra="ignore", frozen=True, use_attribute_docstrings=True
    )

    max_body_bytes: Count = 1_000_000
    """Largest body of a prediction request."""
    max_feedback_bytes: Count = 4_000_000
    """Largest body of a list of labels (10,000 of them need about 2 MB)."""
    buffer_rows: Count = 100_000
    """Rows of one log held in memory while the lake is slow or away; about 0.5 kB each."""
    when_full: Literal["drop", "refuse"] = "drop"
    """A full feature log: answer and count the row as dropped, or refuse the request with 503. Labels are always refused."""
    retry_first_s: Positive = 0.5
    """Wait after the first failed put or model load; doubles with each further one."""
    retry_cap_s: Positive = 30.0
    close_s: Positive = 20.0
    """How long a stopping process tries to write what it still holds; Kubernetes kills after 30 s."""
