"""Words for a spec that does not validate: one line an error, with the key, what is wrong, and the nearest fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

__all__ = ["explain"]


def explain(error: ValidationError) -> list[str]:
    """Each error as `key.of.part: what is wrong`, in the order of the file.

    >>> from pydantic import ValidationError
    >>> from ct_assets.spec import ModelSpec
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
    if kind == "missing":
        return "is missing, and has no default: add it"
    if kind == "value_error":  # our own words already name the value
        return detail["msg"].removeprefix("Value error, ")
    return f"{detail['msg']}; it is {value!r}" if isinstance(value, str | int | float) else detail["msg"]
