"""When a day is judged, how far back, how often it is tried."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from ct_assets.spec.base import Part

__all__ = ["CalendarSpec"]


class CalendarSpec(Part):
    """When a day is judged."""

    schedule: str = "0 6 * * *"
    """Cron of `<model>_daily`, UTC: minute, hour, day of month, month, day of week."""
    grace_s: Annotated[float, Field(ge=0)] = 21_600.0
    """A day is due this long after its end."""
    settle_s: Annotated[float, Field(ge=0)] = 900.0
    """A due day is closed once its newest object is older than this."""
    max_age_days: Annotated[int, Field(ge=1)] = 2
    """Older than this, a day is history: nothing is live."""
    catch_up_days: Annotated[int, Field(ge=1, le=90)] = 30
    """The closer looks back this many days; older ones are judged by a backfill."""
    attempts: Annotated[int, Field(ge=1)] = 3
    """Runs started for the same work before it is left to a person."""
    poll_s: Annotated[int, Field(ge=1)] = 30
    """Seconds between two ticks of this model's sensors."""

    @field_validator("schedule")
    @classmethod
    def _schedule_has_five_fields(cls, value: str) -> str:
        if len(value.split()) != 5:
            raise ValueError(
                f"schedule '{value}' is no cron of five fields: write it like \"0 6 * * *\", in quotes"
            )
        return value
