"""Whether a model was trained already: the same as-of day, the same data, the same recipe."""

from __future__ import annotations

import hashlib
import json
from datetime import date

from ct_assets.registry import Registry, Version
from ct_assets.registry.version import DATA_HASH, PARAMS_HASH
from ct_assets.spec import ModelSpec

__all__ = ["find_trained", "params_hash"]


def params_hash(spec: ModelSpec, code_version: str) -> str:
    """Digest of what turns data into a model: training part, features and label of the spec, version of the code. 16 hex digits."""
    recipe = {
        "training": spec.training.model_dump(mode="json"),
        "features": list(spec.features.items()),
        "label": spec.label,
        "reference_rows": spec.drift.reference_rows,
        "code": code_version,
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


def find_trained(registry: Registry, as_of: date, data_hash: str, params_hash: str) -> Version | None:
    """The newest version with this as-of day, data and recipe; None if there is none.

    A version is registered last, after all its files are written: what is found here is whole.
    """
    wanted = {DATA_HASH: data_hash, PARAMS_HASH: params_hash}
    for version in registry.versions():
        if version.as_of == as_of and wanted.items() <= version.tags.items():
            return version
    return None
