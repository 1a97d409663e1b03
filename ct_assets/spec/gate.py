"""When a candidate may become challenger."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ct_assets.spec.base import Part, Probability

__all__ = ["GateSpec"]


class GateSpec(Part):
    """When a candidate may become challenger."""

    metric: Literal["roc_auc"] = "roc_auc"
    """Area under the ROC curve, 0..1, on the holdout."""
    threshold: Probability = 0.91
    """Absolute: the candidate's metric on the holdout must reach it."""
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The candidate must beat the champion by more than this, on the same rows."""
    parity_atol: Annotated[float, Field(gt=0, le=1e-2)] = 1e-5
    """Largest difference allowed between the exported ONNX graph and the native model on the holdout."""
