"""Finds the models of this project: reads `defs/<model>/defs.yaml` and the deployment's overlay into specs.

Dagster loads the same files through the component; serving and `ct` come here, without dagster.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ct_assets.spec import ModelSpec

__all__ = ["DEFS", "SpecError", "apply_overlay", "load_spec", "load_specs", "read_overlay"]

DEFS = Path(__file__).parent / "defs"


class SpecError(ValueError):
    """A model's file does not say what it must: names the file, the key and the fix."""


def read_overlay(path: Path | None) -> dict[str, Any]:
    """The overlay's mapping of model name to replaced keys; empty where there is none."""
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        raise SpecError(f"{path}: CT_OVERLAY names a file that cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: no valid YAML: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
        raise SpecError(f"{path}: an overlay maps model names to keys of their spec, e.g. 'fraud_detector: {{rollout: {{bake_s: 60}}}}'")
    return content


def apply_overlay(attributes: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """`attributes` with the overlay's keys put over them, mapping by mapping; lists are replaced whole."""
    merged = dict(attributes)
    for key, value in overlay.items():
        below = merged.get(key)
        merged[key] = apply_overlay(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def load_spec(model: str, *, overlay: Path | None = None, defs: Path = DEFS) -> ModelSpec:
    """The spec of one model; raises SpecError with file, key and fix."""
    path = defs / model / "defs.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.parent.name for p in defs.glob("*/defs.yaml"))) or "none yet"
        raise SpecError(f"{path}: there is no model '{model}' (known: {known})")
    try:
        document = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: no valid YAML: {error}") from error
    attributes = document.get("attributes") if isinstance(document, dict) else None
    if not isinstance(attributes, dict):
        raise SpecError(f"{path}: 'attributes' is missing; it holds the model's spec")
    try:
        return ModelSpec.model_validate(apply_overlay(attributes, read_overlay(overlay).get(model, {})))
    except ValidationError as error:
        raise SpecError("\n".join(f"{path}: {_at(e['loc'])}{e['msg']}" for e in error.errors())) from error


def load_specs(*, overlay: Path | None = None, defs: Path = DEFS) -> dict[str, ModelSpec]:
    """Every model under `defs`, by name."""
    return {p.parent.name: load_spec(p.parent.name, overlay=overlay, defs=defs) for p in sorted(defs.glob("*/defs.yaml"))}


def _at(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(str(part) for part in location)}: " if location else ""
