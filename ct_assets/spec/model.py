"""The whole spec of one model: its names, its columns, and the parts of its loop; checked against each other."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ct_assets.spec.base import IDENTIFIER, Part
from ct_assets.spec.calendar import CalendarSpec
from ct_assets.spec.drift import DriftRule, DriftSpec
from ct_assets.spec.gate import GateSpec
from ct_assets.spec.rollout import RolloutSpec
from ct_assets.spec.serving import ServingSpec
from ct_assets.spec.training import TrainingSpec

__all__ = ["RESERVED_COLUMNS", "FeatureKind", "ModelSpec"]

FeatureKind = Literal["numerical", "categorical"]

# Columns of a feature-log record that no feature may be named after (lake/record.py defines them).
RESERVED_COLUMNS = frozenset(
    {
        "request_id",
        "event_time",
        "received_at",
        "model_version",
        "variant",
        "prediction",
        "entity",
        "label",
        "label_time",
    }
)


class ModelSpec(Part):
    """One model under continuous training."""

    model: str
    """Snake case; prefixes every asset, job, sensor and schedule."""
    description: str = ""
    """One line for people, shown in the Dagster UI."""
    registered_model: str = ""
    """Name in the MLflow registry; the model's name with dashes unless given."""
    owners: tuple[str, ...] = ()
    """E-mail addresses or `team:<name>`, shown in the Dagster UI."""
    task: Literal["binary_classification"] = "binary_classification"
    """What the model predicts: the probability of the positive class."""
    entity: str
    """Column that names the user a row belongs to; requests of one entity stick to one variant."""
    label: str
    """What the truth is called where it comes from, e.g. `is_fraud`; 0 or 1."""
    label_delay_days: Annotated[int, Field(ge=0)] = 7
    """A row's label counts as mature this many days after the row's event time."""
    history_start: str = "2024-01-01"
    """First day of the daily partitions, ISO date."""
    features: Annotated[dict[str, FeatureKind], Field(min_length=1)]
    """Feature name to kind, in the order the model sees them."""
    drift: DriftSpec = DriftSpec()
    """When production differs from what the champion was trained on."""
    training: TrainingSpec = TrainingSpec()
    """What a candidate is trained on, and how."""
    gate: GateSpec = GateSpec()
    """When a candidate may become challenger."""
    rollout: RolloutSpec = RolloutSpec()
    """How a challenger takes over."""
    serving: ServingSpec = ServingSpec()
    """What the serving process accepts and how it writes its log."""
    calendar: CalendarSpec = CalendarSpec()
    """When a day is judged."""

    @field_validator("model")
    @classmethod
    def _model_is_snake_case(cls, value: str) -> str:
        if not re.fullmatch(IDENTIFIER, value):
            raise ValueError(
                f"model '{value}' names assets and jobs: use lower case, digits and _, e.g. fraud_detector"
            )
        return value

    @field_validator("history_start", mode="before")
    @classmethod
    def _history_start_is_a_date(cls, value: Any) -> str:
        try:  # YAML reads an unquoted date as a date
            return (value if isinstance(value, date) else date.fromisoformat(str(value))).isoformat()[:10]
        except ValueError:
            raise ValueError(
                f"history_start '{value}' is no ISO date: write it like \"2024-01-01\""
            ) from None

    @field_validator("owners")
    @classmethod
    def _owners_can_be_found(cls, owners: tuple[str, ...]) -> tuple[str, ...]:
        for owner in owners:
            if not re.fullmatch(r"team:.+|[^@\s]+@[^@\s]+\.[^@\s]+", owner):
                raise ValueError(
                    f"owner '{owner}' is neither an e-mail address nor a team: write 'team:{owner}'"
                )
        return owners

    @field_validator("features")
    @classmethod
    def _feature_names(cls, features: dict[str, FeatureKind]) -> dict[str, FeatureKind]:
        for name in features:
            if not re.fullmatch(IDENTIFIER, name):
                raise ValueError(
                    f"feature '{name}' becomes a column and a check name: use lower case, digits and _"
                )
            if name in RESERVED_COLUMNS:
                raise ValueError(f"feature '{name}' is a column of the feature log itself: rename it")
        return features

    @model_validator(mode="after")
    def _names_fit_together(self) -> Self:
        if not self.registered_model:
            object.__setattr__(self, "registered_model", self.model.replace("_", "-"))
        for column in (self.entity, self.label):
            if column in self.features:
                raise ValueError(
                    f"'{column}' is the entity or the label and a feature too: "
                    "a feature must be known before the label; drop it from features"
                )
        for rule in self.drift.rules:
            self._rule_fits(rule)
        checks = [rule.check for rule in self.drift.rules]
        if twice := next((rule for rule in self.drift.rules if checks.count(rule.check) > 1), None):
            raise ValueError(f"drift.rules: {twice.method} on '{twice.feature}' stands twice: keep one")
        return self

    def _rule_fits(self, rule: DriftRule) -> None:
        kind = self.features.get(rule.feature)
        if kind is None:
            raise ValueError(
                f"drift.rules: feature '{rule.feature}' does not exist; this model has {', '.join(self.features)}"
            )
        if (rule.method, kind) in {("chisquare", "numerical"), ("ks", "categorical")}:
            fit = "ks or psi" if kind == "numerical" else "chisquare or psi"
            raise ValueError(
                f"drift.rules: {rule.method} cannot judge the {kind} feature '{rule.feature}': use {fit}"
            )

    @property
    def numerical(self) -> tuple[str, ...]:
        """Names of the numerical features, in order."""
        return tuple(name for name, kind in self.features.items() if kind == "numerical")

    @property
    def categorical(self) -> tuple[str, ...]:
        """Names of the categorical features, in order."""
        return tuple(name for name, kind in self.features.items() if kind == "categorical")

    @property
    def label_delay(self) -> timedelta:
        """From a row's event time to its label's maturity."""
        return timedelta(days=self.label_delay_days)
