"""Words for a spec that does not validate: one line an error, with the key, what is wrong, and the nearest fix."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from ct_assets.spec.model import ModelSpec

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

__all__ = ["explain"]


def explain(error: ValidationError) -> list[str]:
    """Each error as `key.of.part: what is wrong`, in the order of the file.

    >>> from pydantic import ValidationError
    >>> try:
    ...     ModelSpec.model_validate({"model": "m", "entity": "e", "label": "l", "features": {"x": "numerical"},
    ...                               "rollout": {"bake": 60}})
    ... except ValidationError as error:
    ...     print(explain(error)[0])
    rollout.bake: unknown key; did you mean 'bake_s'?
    """
    return [_line(detail) for detail in error.errors()]


def _line(detail: ErrorDetails) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    return f"{where}: {_message(detail)}" if where else _message(detail)


def _message(detail: ErrorDetails) -> str:
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        known = sorted(_keys(detail["loc"][:-1]))
        near = get_close_matches(str(detail["loc"][-1]), known, n=1)
        return (
            f"unknown key; did you mean '{near[0]}'?"
            if near
            else f"unknown key; known are {', '.join(known)}"
        )
    if kind == "missing":
        return "is missing, and has no default: add it"
    if kind == "value_error":  # our own words already name the value
        return detail["msg"].removeprefix("Value error, ")
    return f"{detail['msg']}; it is {value!r}" if isinstance(value, str | int | float) else detail["msg"]


def _keys(location: Iterable[int | str]) -> set[str]:
    """Keys of the part at `location`; an index of a list leads to the list's items."""
    part: type[BaseModel] = ModelSpec
    for step in location:
        if isinstance(step, str):
            part = _part(part.model_fields[step].annotation) or part
    return set(part.model_fields)


def _part(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _part(inner))), None)
