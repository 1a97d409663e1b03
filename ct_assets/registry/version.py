"""One version of a registered model, as the registry tells it, and the tags that every version carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

__all__ = [
    "AS_OF",
    "CODE_VERSION",
    "DATA_HASH",
    "ONNX_SHA256",
    "PARAMS_HASH",
    "TRIGGER",
    "RegistryError",
    "UnknownVersion",
    "Version",
]

AS_OF = "ct.as_of"
TRIGGER = "ct.trigger"
DATA_HASH = "ct.data_hash"
PARAMS_HASH = "ct.params_hash"
CODE_VERSION = "ct.code_version"
ONNX_SHA256 = "ct.onnx_sha256"


class RegistryError(RuntimeError):
    """The registry refused or could not be used: says what was asked and what to do."""


class UnknownVersion(RegistryError, LookupError):
    """No such version under this registered model."""


@dataclass(frozen=True)
class Version:
    """A registered version. `created` is an aware UTC time; `version` counts up from "1"."""

    version: str
    run_id: str
    tags: Mapping[str, str]
    created: datetime

    @property
    def as_of(self) -> date | None:
        """The day whose knowledge the version was trained with; None where the tag is missing or no ISO date."""
        try:
            return date.fromisoformat(self.tags.get(AS_OF, ""))
        except ValueError:
            return None
