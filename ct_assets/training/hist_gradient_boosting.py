"""The default trainer: histogram gradient boosting, seconds on 100,000 rows where exact boosting takes minutes.

Ke et al. 2017, LightGBM: A Highly Efficient Gradient Boosting Decision Tree (NeurIPS), as scikit-learn does it.
Missing numbers are split natively. Categories are encoded ahead as ordinals, unknown and missing ones as
missing: the export of native categorical splits answers wrongly without a word.
"""

from __future__ import annotations

from ct_assets.spec import ModelSpec
from ct_assets.training.dataset import Dataset
from ct_assets.training.export import SklearnModel
from ct_assets.training.pipeline import classifier, fit_pipeline

__all__ = ["DEFAULTS", "fit"]

DEFAULTS = {
    "max_iter": 200,
    "learning_rate": 0.05,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 50,
    "l2_regularization": 1.0,
}


def fit(spec: ModelSpec, dataset: Dataset) -> SklearnModel:
    """Fits on the training rows; `training.parameters` replace single DEFAULTS. No early stopping: it would hold rows back."""
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.preprocessing import OrdinalEncoder

    model = classifier(
        HistGradientBoostingClassifier,
        {**DEFAULTS, "early_stopping": False, "random_state": spec.training.seed, **spec.training.parameters},
        refused={
            "categorical_features": "categories are encoded ahead, since native categorical splits export wrongly"
        },
    )

    def encoder(known: list[list[str]]) -> OrdinalEncoder:
        return OrdinalEncoder(
            categories=known,
            handle_unknown="use_encoded_value",
            unknown_value=np.nan,
            encoded_missing_value=np.nan,
            dtype=np.float32,
        )

    return fit_pipeline(spec, dataset, model, numerical="passthrough", categorical=encoder)
