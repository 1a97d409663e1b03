"""One model described: what a `defs.yaml` may say, and what is assumed where it says nothing.

The spec is the only configuration of a model. The Dagster layer, serving, the drift monitor and the
rollout all read the same frozen object, so a threshold stands in one place. Durations carry their
unit in the name (`_s`, `_days`), probabilities lie in 0..1, rollout weights are percent.
"""

from ct_assets.spec.calendar import CalendarSpec
from ct_assets.spec.drift import DriftRule, DriftSpec, Persistence, PredictionRule
from ct_assets.spec.errors import explain
from ct_assets.spec.gate import GateSpec
from ct_assets.spec.model import FeatureKind, ModelSpec
from ct_assets.spec.rollout import RolloutSpec, ShadowSpec
from ct_assets.spec.serving import ServingSpec
from ct_assets.spec.training import TrainingSpec

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
    "explain",
]
