"""Turns a decoder's complaint into a fault: which field (JSON pointer), what was wrong, what to send instead."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from ct_assets.spec import ModelSpec

__all__ = ["Explainer", "Fault", "Invalid"]

# msgspec: "Expected `float | null`, got `bool` - at `$.features.amount`", "... missing required field `x` - at `$.features`"
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_NAMED = re.compile(r"(?P<problem>missing required|contains unknown) field `(?P<name>[^`]*)`")

_TIME = 'send an RFC 3339 time with its zone, e.g. "2024-05-01T12:00:00Z", or leave it out for now'
_FIXES = {
    "request_id": "send a string of 1 to 128 characters; /predict makes one where it is left out",
    "event_time": _TIME,
    "label_time": _TIME,
    "entity": "send a string of up to 1,000 characters, or leave it out",
    "label": "send 0 or 1",
    "features": "send an object with one member a feature",
    "": "send a JSON object as described at /docs",
}
_KIND_FIXES = {
    "numerical": "send a finite number of at most 3.4e38 (float32), or null where it is missing",
    "categorical": "send a string of up to 1,000 characters, or null where it is missing",
}


class Fault(NamedTuple):
    """One thing wrong with a request. `pointer`: RFC 6901 in fragment form, "#" for the whole body."""

    pointer: str
    detail: str
    fix: str


class Invalid(ValueError):
    """A request that cannot be accepted; nothing of it was kept."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.pointer}: {fault.detail}; {fault.fix}")
        self.fault = fault


class Explainer:
    """Knows the fix for each field of one model's requests."""

    def __init__(self, spec: ModelSpec) -> None:
        self._fixes = _FIXES | {f"features.{name}": _KIND_FIXES[kind] for name, kind in spec.features.items()}
        self._features = ", ".join(spec.features)

    def fault(self, error: Exception) -> Fault:
        """`error`: what the decoder raised."""
        if not isinstance(error, msgspec.ValidationError):
            return Fault("#", f"no valid JSON in UTF-8 ({error})", self._fixes[""])
        place = _PLACE.match(str(error))
        what, path = (place["what"], place["path"] or "") if place else (str(error), "")
        named = _NAMED.search(what)
        fields = [part for part in re.split(r"[.\[\]]+", path) if part]
        if named is None:
            return Fault(_pointer(fields), what, self._fix(fields))
        fields.append(named["name"])
        if named["problem"] == "missing required":
            return Fault(_pointer(fields), "required, but missing", self._fix(fields))
        within = fields[0] == "features" and len(fields) > 1
        known = (
            f"this model's features are {self._features}"
            if within
            else "see /docs for the members of a request"
        )
        return Fault(_pointer(fields), "unknown", f"leave it out or correct the name: {known}")

    def _fix(self, fields: list[str]) -> str:
        name = ".".join(part for part in fields if not part.isdigit())
        return self._fixes.get(name, self._fixes[""])


def _pointer(fields: list[str]) -> str:
    return "#" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in fields)
