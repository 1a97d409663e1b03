"""The rolling training window, the trainer, and the least that a training set must hold."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, field_validator

from ct_assets.spec.base import Part

__all__ = ["TRAINERS", "TrainingSpec"]

TRAINERS = ("hist_gradient_boosting", "gradient_boosting")


class TrainingSpec(Part):
    """The rolling window, the trainer, and the least that a training set must hold."""

    window_days: Annotated[int, Field(ge=1)] = 90
    """Days of training rows, before the holdout."""
    holdout_days: Annotated[int, Field(ge=1)] = 3
    """The newest mature days, never trained on: the gate compares on them."""
    trainer: str = "hist_gradient_boosting"
    """`hist_gradient_boosting`, `gradient_boosting`, or `module:function` of your own."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Handed to the trainer as they are; a name that it does not know is its error."""
    seed: int = 42
    """Of sampling and fitting: the same rows and seed give the same model."""
    recency_half_life_days: Annotated[float, Field(gt=0)] | None = None
    """Weight of a row halves with every so many days of age; none: all rows weigh the same."""
    min_rows: Annotated[int, Field(ge=1)] = 1_000
    """Fewer training rows than this: no model is trained, and the asset says why."""
    min_positives: Annotated[int, Field(ge=1)] = 30
    """Of each class, in the training rows and in the holdout."""
    drift_days: Annotated[int, Field(ge=0)] = 0
    """Labelled days of a drift that the training window must hold before drift retrains; 0: it retrains at once."""

    @field_validator("trainer")
    @classmethod
    def _known_trainer(cls, value: str) -> str:
        if value not in TRAINERS and not re.fullmatch(r"[\w.]+:\w+", value):
            raise ValueError(
                f"unknown trainer '{value}': use one of {', '.join(TRAINERS)}, "
                "or 'package.module:function' of your own"
            )
        return value
