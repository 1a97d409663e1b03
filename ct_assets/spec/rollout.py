"""How a challenger takes over: shadow traffic, then rising weights, each baked and watched."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from ct_assets.spec.base import Part, Percent, Url

__all__ = ["RolloutSpec", "ShadowSpec"]


class ShadowSpec(Part):
    """The first stage of a rollout: copies of live requests, answers thrown away."""

    requests: Annotated[int, Field(ge=0)] = 500
    """Mirrored requests that must be seen before the challenger gets live traffic; 0 skips the stage."""
    percent: Percent = 100
    """Share of live requests that is mirrored."""


class RolloutSpec(Part):
    """How a challenger takes over."""

    strategy: Literal["canary"] = "canary"
    """canary: the weight rises step by step, and any step can roll back."""
    shadow: ShadowSpec = ShadowSpec()
    """The stage before the first live request."""
    steps: tuple[Percent, ...] = (10, 50, 100)
    """Weights of the challenger, in percent, in order; the last is 100."""
    bake_s: Annotated[float, Field(ge=0)] = 600.0
    """Least time at each step, in seconds."""
    error_rate_limit: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of failed requests of the challenger above which it is rolled back."""
    min_requests: Annotated[int, Field(ge=1)] = 100
    """Requests the challenger must answer at a step before the step can pass."""
    deadline_s: Annotated[float, Field(gt=0)] = 3_600.0
    """A step that is still inconclusive after this long is rolled back."""
    envoy_admin_url: Url = "http://127.0.0.1:9901"
    """Where the router's own counters are read."""

    @field_validator("steps")
    @classmethod
    def _steps_rise_to_100(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if not steps or list(steps) != sorted(set(steps)) or steps[-1] != 100:
            raise ValueError(f"steps {list(steps)} must rise strictly and end at 100, e.g. [10, 50, 100]")
        return steps

    @model_validator(mode="after")
    def _deadline_after_bake(self) -> Self:
        if self.deadline_s <= self.bake_s:
            raise ValueError(
                f"deadline_s={self.deadline_s:g} must be longer than bake_s={self.bake_s:g}, or no step could pass: "
                "raise deadline_s or lower bake_s"
            )
        return self
