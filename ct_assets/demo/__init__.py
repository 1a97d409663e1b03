"""Traffic with a known truth behind `ct demo`: what a generator draws, the loop must find."""

from __future__ import annotations

from ct_assets.demo.fraud_features import FEATURES
from ct_assets.demo.fraud_regimes import CATEGORIES, NEW_CATEGORY, Regime
from ct_assets.demo.fraud_traffic import ENTITY, FraudTraffic, ceiling_auc, generate

__all__ = [
    "CATEGORIES",
    "ENTITY",
    "FEATURES",
    "NEW_CATEGORY",
    "FraudTraffic",
    "Regime",
    "ceiling_auc",
    "generate",
]
