"""Finds the models of this project: reads `defs/<model>/defs.yaml` and the deployment's overlay into specs.

Dagster loads the same files through the component; serving and `ct` come here, without dagster.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ct_assets.spec import ModelSpec, explain

__all__ = ["DEFS", "SpecError", "apply_overlay", "load_spec", "load_specs", "read_overlay"]

DEFS = Path(__file__).parent / "defs"

_COMPONENT = "ContinuousTraining"


class SpecError(ValueError):
    """A model's file does not say what it must: names the file, the key and the fix."""


def read_overlay(path: Path | None) -> dict[str, Any]:
    """The overlay's mapping of model name to replaced keys; empty where there is none."""
    if path is None:
        return {}
    content = _read(path) or {}
    if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
        raise SpecError(
            f"{path}: an overlay maps model names to keys of their spec, "
            "e.g. 'fraud_detector: {rollout: {bake_s: 60}}'"
        )
    return content


def apply_overlay(attributes: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """`attributes` with the overlay's keys put over them, mapping by mapping; lists are replaced whole."""
    merged = dict(attributes)
    for key, value in overlay.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = apply_overlay(below, value)
        merged[key] = value
    return merged


def load_spec(model: str, *, overlay: Path | None = None, defs: Path = DEFS) -> ModelSpec:
    """The spec of one model; raises SpecError with file, key and fix. No other model's file is read."""
    path, folders = defs / model / "defs.yaml", sorted(p.parent.name for p in defs.glob("*/defs.yaml"))
    known = f"known: {', '.join(folders) or 'none yet'}"
    if model not in folders:
        raise SpecError(f"{path}: there is no model '{model}' ({known})")
    document = _read(path)
    attributes = document.get("attributes") if _is_model(document) else None
    if not isinstance(attributes, dict):
        raise SpecError(
            f"{path}: no model: it needs 'type: ct_assets.component.{_COMPONENT}' and 'attributes', the spec"
        )
    replaced = read_overlay(overlay)
    if strangers := sorted(replaced.keys() - set(folders)):
        raise SpecError(f"{overlay}: there is no model '{strangers[0]}' to put keys over ({known})")
    try:
        spec = ModelSpec.model_validate(apply_overlay(attributes, replaced.get(model, {})))
    except ValidationError as error:
        source = f"{path} with {overlay}" if model in replaced else str(path)
        raise SpecError("\n".join(f"{source}: {line}" for line in explain(error))) from error
    if spec.model != model:
        raise SpecError(f"{path}: model is '{spec.model}', its folder '{model}': give both the same name")
    return spec


def load_specs(*, overlay: Path | None = None, defs: Path = DEFS) -> dict[str, ModelSpec]:
    """Every model under `defs`, by name; folders that hold another component are passed over."""
    folders = [path.parent.name for path in sorted(defs.glob("*/defs.yaml")) if _is_model(_read(path))]
    return {model: load_spec(model, overlay=overlay, defs=defs) for model in folders}


def _is_model(document: Any) -> bool:
    return isinstance(document, dict) and str(document.get("type")).endswith(f".{_COMPONENT}")


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise SpecError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: no valid YAML: {error}") from error
