"""The drift contract: what is compared with what, and when a difference counts."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ct_assets.spec.base import Part

__all__ = ["DriftMethod", "DriftRule", "DriftSpec", "Persistence", "PredictionRule"]

DriftMethod = Literal["psi", "chisquare", "ks"]

# Methods whose statistic is a p-value: they alarm *below* the threshold, a distance alarms at or above it.
P_VALUE_METHODS = frozenset({"chisquare", "ks"})


class DriftRule(Part):
    """One rule of the drift contract: a method, on a feature, with the threshold that it alarms at."""

    feature: str
    """Name of a feature of this model."""
    method: DriftMethod
    """psi (any kind; alarms at >= threshold), ks (numerical; p <= threshold), chisquare (categorical; p < threshold)."""
    threshold: Annotated[float, Field(gt=0)]
    """PSI in nats (0.1 moderate, 0.2 large), or the p-value of the test (0..1)."""

    @property
    def check(self) -> str:
        """Name of the asset check of this rule, e.g. `psi_transaction_amount`."""
        return f"{self.method}_{self.feature}"

    @model_validator(mode="after")
    def _p_value_is_a_probability(self) -> Self:
        if self.method in P_VALUE_METHODS and self.threshold >= 1:
            raise ValueError(
                f"threshold {self.threshold} of {self.method} on '{self.feature}' is a p-value: "
                "give a number between 0 and 1, e.g. 0.05"
            )
        return self


class PredictionRule(Part):
    """Drift of the champion's own scores against those on its holdout, by PSI."""

    threshold: Annotated[float, Field(gt=0)] = 0.20
    """PSI in nats; alarms at it or above."""


class Persistence(Part):
    """Act only when `k` of the last `n` judged days (the live day among them) say drift."""

    k: Annotated[int, Field(ge=1)] = 1
    """Days that must say drift."""
    n: Annotated[int, Field(ge=1)] = 1
    """Newest judged days that are looked at."""

    @model_validator(mode="after")
    def _k_within_n(self) -> Self:
        if self.k > self.n:
            raise ValueError(f"k={self.k} of n={self.n} days can never be reached: lower k or raise n")
        return self


class DriftSpec(Part):
    """What is compared with what, and when a difference counts."""

    rules: tuple[DriftRule, ...] = ()
    """One asset check each. Features without a rule count in `max_drifted_share` only, judged by PSI at `default_psi`."""
    default_psi: Annotated[float, Field(gt=0)] = 0.20
    """PSI in nats at which a feature without a rule counts as drifted."""
    max_drifted_share: Annotated[float, Field(gt=0, le=1)] = 0.30
    """Alarm when this share of all features drifted, or more."""
    prediction: PredictionRule | None = PredictionRule()
    """Judges the champion's scores too; null turns it off."""
    window_days: Literal[1, 7, 30] = 1
    """A day's verdict covers this many trailing days, ending with it."""
    reference: Literal["training", "recent"] = "training"
    """Compare with a sample of the champion's training window, or with its newest mature days."""
    reference_rows: Annotated[int, Field(ge=100)] = 20_000
    """Rows sampled (seeded) from the reference window and kept with each model version."""
    min_rows: Annotated[int, Field(ge=1)] = 500
    """Fewer rows than this in a window: the verdict is inconclusive, never pass."""
    guard: bool = True
    """A rule is red only if the effect also exceeds its noise floor; false gives the bare thresholds."""
    persistence: Persistence = Persistence()
    """How many drifted days it takes; one by default."""
    cooldown_days: Annotated[int, Field(ge=0)] = 1
    """Event days after a retraining's as-of date in which no other one starts."""
