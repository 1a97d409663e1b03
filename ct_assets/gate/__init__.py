"""The gate: whether a candidate may become challenger, and why."""

from ct_assets.gate.auc import roc_auc
from ct_assets.gate.decide import GateDecision, RuleResult, decide
from ct_assets.gate.delong import PairedDifference, auc_difference
from ct_assets.gate.scores import GateError, Scores

__all__ = [
    "GateDecision",
    "GateError",
    "PairedDifference",
    "RuleResult",
    "Scores",
    "auc_difference",
    "decide",
    "roc_auc",
]
