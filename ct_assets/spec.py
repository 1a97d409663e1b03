"""One model described: what a `defs.yaml` may say, and what is assumed where it says nothing.

The spec is the only configuration of a model. The Dagster layer, serving, the drift monitor and the
rollout all read the same frozen object, so a threshold stands in one place. Durations carry their
unit in the name (`_s`, `_days`), probabilities lie in 0..1, rollout weights are percent.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "CalendarSpec",
    "DriftRule",
    "DriftSpec",
    "FeatureKind",
    "GateSpec",
    "ModelSpec",
    "Persistence",
    "PredictionRule",
    "RolloutSpec",
    "ServingSpec",
    "ShadowSpec",
    "TrainingSpec",
]

FeatureKind = Literal["numerical", "categorical"]
DriftMethod = Literal["psi", "chisquare", "ks"]
Probability = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[int, Field(ge=1, le=100)]

TRAINERS = ("hist_gradient_boosting", "gradient_boosting")
# Methods whose statistic is a p-value: they alarm *below* the threshold, a distance alarms at or above it.
P_VALUE_METHODS = frozenset({"chisquare", "ks"})
_IDENTIFIER = re.compile(r"^[a-z][a-z0-9_]*$")


class _Part(BaseModel):
    """Base of every part: immutable, and a misspelt key is an error, never silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class DriftRule(_Part):
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
                f"threshold {self.threshold} of {self.method} on '{self.feature}' is a p-value: give a number between 0 and 1, e.g. 0.05"
            )
        return self


class PredictionRule(_Part):
    """Drift of the champion's own scores against those on its holdout, by PSI."""

    threshold: Annotated[float, Field(gt=0)] = 0.20


class Persistence(_Part):
    """Act only when `k` of the last `n` judged days (the live day among them) say drift."""

    k: Annotated[int, Field(ge=1)] = 1
    n: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _k_within_n(self) -> Self:
        if self.k > self.n:
            raise ValueError(f"k={self.k} of n={self.n} days can never be reached: lower k or raise n")
        return self


class DriftSpec(_Part):
    """What is compared with what, and when a difference counts."""

    rules: tuple[DriftRule, ...] = ()
    """One asset check each. Features without a rule count in `max_drifted_share` only, judged by PSI at `default_psi`."""
    default_psi: Annotated[float, Field(gt=0)] = 0.20
    max_drifted_share: Probability = 0.30
    """Alarm when this share of all features drifted, or more."""
    prediction: PredictionRule | None = PredictionRule()
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
    cooldown_days: Annotated[int, Field(ge=0)] = 1
    """Event days after a retraining's as-of date in which no other one starts."""


class TrainingSpec(_Part):
    """The rolling window, the trainer, and the least that a training set must hold."""

    window_days: Annotated[int, Field(ge=1)] = 90
    holdout_days: Annotated[int, Field(ge=1)] = 3
    """The newest mature days, never trained on: the gate compares on them."""
    trainer: str = "hist_gradient_boosting"
    """`hist_gradient_boosting`, `gradient_boosting`, or `module:function` of your own."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    seed: int = 42
    recency_half_life_days: Annotated[float, Field(gt=0)] | None = None
    """Weight of a row halves with every so many days of age; none: all rows weigh the same."""
    min_rows: Annotated[int, Field(ge=1)] = 1_000
    min_positives: Annotated[int, Field(ge=1)] = 30
    """Of each class, in the training rows and in the holdout."""

    @field_validator("trainer")
    @classmethod
    def _known_trainer(cls, value: str) -> str:
        if value not in TRAINERS and not re.fullmatch(r"[\w.]+:\w+", value):
            raise ValueError(
                f"unknown trainer '{value}': use one of {', '.join(TRAINERS)}, or 'package.module:function' of your own"
            )
        return value


class GateSpec(_Part):
    """When a candidate may become challenger."""

    metric: Literal["roc_auc"] = "roc_auc"
    threshold: Probability = 0.91
    """Absolute: the candidate's metric on the holdout must reach it."""
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The candidate must beat the champion by more than this, on the same rows."""
    parity_atol: Annotated[float, Field(gt=0, le=1e-2)] = 1e-5
    """Largest difference allowed between the exported ONNX graph and the native model on the holdout."""


class ShadowSpec(_Part):
    """The first stage of a rollout: copies of live requests, answers thrown away."""

    requests: Annotated[int, Field(ge=0)] = 500
    """Mirrored requests that must be seen before the challenger gets live traffic; 0 skips the stage."""
    percent: Percent = 100
    """Share of live requests that is mirrored."""


class RolloutSpec(_Part):
    """How a challenger takes over."""

    strategy: Literal["canary"] = "canary"
    shadow: ShadowSpec = ShadowSpec()
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

    @field_validator("steps")
    @classmethod
    def _steps_rise_to_100(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if not steps or list(steps) != sorted(set(steps)) or steps[-1] != 100:
            raise ValueError(f"steps {list(steps)} must rise strictly and end at 100, e.g. [10, 50, 100]")
        return steps

    @model_validator(mode="after")
    def _deadline_after_bake(self) -> Self:
        if self.deadline_s <= self.bake_s:
            raise ValueError(f"deadline_s={self.deadline_s} must be longer than bake_s={self.bake_s}: no step could pass")
        return self


class ServingSpec(_Part):
    """What the serving process accepts and how it writes its log."""

    max_age_s: Annotated[float, Field(gt=0)] = 3_600.0
    """How far back a request's own event_time or label_time may lie."""
    max_ahead_s: Annotated[float, Field(ge=0)] = 60.0
    flush_rows: Annotated[int, Field(ge=1)] = 100
    flush_s: Annotated[float, Field(gt=0)] = 1.0
    follow_s: Annotated[float, Field(gt=0)] = 1.0
    """Seconds between two looks at the registry's aliases."""


class CalendarSpec(_Part):
    """When a day is judged."""

    schedule: str = "0 6 * * *"
    """Cron of `<model>_daily`, UTC."""
    grace_s: Annotated[float, Field(ge=0)] = 21_600.0
    """A day is due this long after its end."""
    settle_s: Annotated[float, Field(ge=0)] = 900.0
    """A due day is closed once its newest object is older than this."""
    max_age_days: Annotated[int, Field(ge=1)] = 2
    """Older than this, a day is history: nothing is live."""
    attempts: Annotated[int, Field(ge=1)] = 3
    """Runs started for the same work before it is left to a person."""
    poll_s: Annotated[int, Field(ge=1)] = 30
    """Seconds between two ticks of this model's sensors."""


class ModelSpec(_Part):
    """One model under continuous training."""

    model: str
    """Snake case; prefixes every asset, job, sensor and schedule."""
    description: str = ""
    registered_model: str = ""
    """Name in the MLflow registry; the model's name with dashes unless given."""
    owners: tuple[str, ...] = ()
    """E-mail addresses or `team:<name>`, shown in the Dagster UI."""
    task: Literal["binary_classification"] = "binary_classification"
    entity: str
    """Column that names the user a row belongs to; requests of one entity stick to one variant."""
    label: str
    label_delay_days: Annotated[int, Field(ge=0)] = 7
    """A row's label counts as mature this many days after the row's event time."""
    history_start: str = "2024-01-01"
    """First day of the daily partitions, ISO date."""
    features: Annotated[dict[str, FeatureKind], Field(min_length=1)]
    """Feature name to kind, in the order the model sees them."""
    drift: DriftSpec = DriftSpec()
    training: TrainingSpec = TrainingSpec()
    gate: GateSpec = GateSpec()
    rollout: RolloutSpec = RolloutSpec()
    serving: ServingSpec = ServingSpec()
    calendar: CalendarSpec = CalendarSpec()

    @field_validator("model")
    @classmethod
    def _model_is_snake_case(cls, value: str) -> str:
        if not _IDENTIFIER.match(value):
            raise ValueError(f"model '{value}' names assets and jobs: use lower case, digits and _, e.g. fraud_detector")
        return value

    @field_validator("history_start")
    @classmethod
    def _history_start_is_a_date(cls, value: str) -> str:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise ValueError(f"history_start '{value}' is no ISO date: write it like \"2024-01-01\", in quotes")
        return value

    @field_validator("features")
    @classmethod
    def _feature_names(cls, features: dict[str, FeatureKind]) -> dict[str, FeatureKind]:
        for name in features:
            if not _IDENTIFIER.match(name):
                raise ValueError(f"feature '{name}' becomes a column and a check name: use lower case, digits and _")
            if name in RESERVED_COLUMNS:
                raise ValueError(f"feature '{name}' is a column of the feature log itself: rename it")
        return features

    @model_validator(mode="after")
    def _names_fit_together(self) -> Self:
        if not self.registered_model:
            object.__setattr__(self, "registered_model", self.model.replace("_", "-"))
        for column in (self.entity, self.label):
            if column in self.features:
                raise ValueError(f"'{column}' is the entity or the label and a feature too: a feature must be known before the label; drop it from features")
        checks: set[str] = set()
        for rule in self.drift.rules:
            kind = self.features.get(rule.feature)
            if kind is None:
                raise ValueError(
                    f"drift.rules: feature '{rule.feature}' does not exist; this model has {', '.join(self.features)}"
                )
            if (rule.method, kind) in {("chisquare", "numerical"), ("ks", "categorical")}:
                fit = "ks or psi" if kind == "numerical" else "chisquare or psi"
                raise ValueError(f"drift.rules: {rule.method} cannot judge the {kind} feature '{rule.feature}': use {fit}")
            if rule.check in checks:
                raise ValueError(f"drift.rules: {rule.method} on '{rule.feature}' stands twice: keep one")
            checks.add(rule.check)
        return self

    @property
    def numerical(self) -> tuple[str, ...]:
        return tuple(name for name, kind in self.features.items() if kind == "numerical")

    @property
    def categorical(self) -> tuple[str, ...]:
        return tuple(name for name, kind in self.features.items() if kind == "categorical")

    @property
    def label_delay(self) -> timedelta:
        return timedelta(days=self.label_delay_days)


# Columns of a feature-log record that no feature may be named after (lake/record.py defines them).
RESERVED_COLUMNS = frozenset(
    {"request_id", "event_time", "received_at", "model_version", "variant", "prediction", "entity", "label", "label_time"}
)
