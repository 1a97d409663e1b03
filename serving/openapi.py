"""The OpenAPI description of the two plain ASGI routes, made from the model's spec, so that /docs shows its own features."""

from __future__ import annotations

from typing import Any

from ct_assets.spec import ModelSpec
from serving.contract import FLOAT32_MAX, MAX_LABELS
from serving.problem import PROBLEM_JSON

__all__ = ["describe"]

_KINDS: dict[str, dict[str, Any]] = {
    "numerical": {
        "type": ["number", "null"],
        "minimum": -FLOAT32_MAX,
        "maximum": FLOAT32_MAX,
        "description": "null: missing",
    },
    "categorical": {"type": ["string", "null"], "maxLength": 1_000, "description": "null: missing"},
}
_EXAMPLES = {"numerical": 1.0, "categorical": "a"}
_REQUEST_ID = {"type": "string", "minLength": 1, "maxLength": 128}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["title", "status", "detail"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail", "fix"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer of the field"},
                    "detail": {"type": "string"},
                    "fix": {"type": "string", "description": "what to send instead"},
                },
            },
        },
    },
}


def describe(document: dict[str, Any], spec: ModelSpec) -> dict[str, Any]:
    """Adds `/predict` and `/feedback` to an OpenAPI 3.1 document; returns it."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= {
        "PredictRequest": _request(spec),
        "Prediction": _prediction(),
        "Label": _label(spec),
        "Problem": _PROBLEM,
    }
    document.setdefault("paths", {}).update(
        {"/predict": {"post": _predict(spec)}, "/feedback": {"post": _feedback()}}
    )
    return document


def _predict(spec: ModelSpec) -> dict[str, Any]:
    header = {
        "name": "x-request-id",
        "in": "header",
        "required": False,
        "schema": _REQUEST_ID,
        "description": "Used where the body has no request_id.",
    }
    entity = {
        "name": "x-entity-id",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": f"The {spec.entity} again: the router keeps an entity on one variant by this header, "
        "and picks at random without it.",
    }
    return {
        "tags": ["model"],
        "summary": f"Score one row with {spec.model}",
        "description": spec.description,
        "operationId": "predict",
        "parameters": [header, entity],
        "requestBody": {"required": True, "content": _json("PredictRequest")},
        "responses": {
            "200": {"description": "Scored, and in the feature log", "content": _json("Prediction")},
            "422": _refusal("The request is not valid: the field and the fix are named"),
            "500": _refusal("The model failed on a valid row"),
            "503": _refusal("No model is loaded, or the feature log is full"),
        },
    }


def _feedback() -> dict[str, Any]:
    one = {"$ref": "#/components/schemas/Label"}
    schema = {"oneOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_LABELS}]}
    accepted = {"type": "object", "required": ["accepted"], "properties": {"accepted": {"type": "integer"}}}
    return {
        "tags": ["model"],
        "summary": "Send labels of answered requests",
        "description": "All labels of a list are taken, or none. A later label_time supersedes an earlier one.",
        "operationId": "feedback",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "202": {"description": "Taken", "content": {"application/json": {"schema": accepted}}},
            "422": _refusal("A label is not valid: the field and the fix are named"),
            "503": _refusal("The label log is full"),
        },
    }


def _request(spec: ModelSpec) -> dict[str, Any]:
    window = f"Within {spec.serving.max_age_s:g} s back and {spec.serving.max_ahead_s:g} s ahead of now; now unless given."
    features = {
        "type": "object",
        "required": list(spec.features),
        "additionalProperties": False,
        "properties": {name: _KINDS[kind] for name, kind in spec.features.items()},
    }
    return {
        "type": "object",
        "required": ["features"],
        "additionalProperties": False,
        "properties": {
            "request_id": _REQUEST_ID
            | {"description": "The header x-request-id, or made here, unless given."},
            "event_time": {"type": "string", "format": "date-time", "description": window},
            "entity": {"type": "string", "maxLength": 1_000, "description": f"The {spec.entity}."},
            "features": features,
        },
        "example": {
            "entity": "42",
            "features": {name: _EXAMPLES[kind] for name, kind in spec.features.items()},
        },
    }


def _prediction() -> dict[str, Any]:
    properties = {
        "request_id": _REQUEST_ID,
        "prediction": {"type": "number", "description": "Probability of the positive class"},
        "model_version": {"type": "string"},
        "variant": {"type": "string", "enum": ["champion", "challenger", "shadow"]},
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _label(spec: ModelSpec) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["request_id", "label"],
        "additionalProperties": False,
        "properties": {
            "request_id": _REQUEST_ID,
            "label": {"enum": [0, 1, False, True], "description": spec.label},
            "label_time": {
                "type": "string",
                "format": "date-time",
                "description": "When it became known; now unless given.",
            },
        },
        "example": {"request_id": "b7d3", "label": 1},
    }


def _refusal(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
