"""The verdict's file and table; and docs/demo.md documents each of its fields with the type that it has."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from ct_assets.demo.verdict import Auc, Expectation, Requests, ScenarioVerdict, Step, Verdict, show, write

DOC = Path(__file__).parents[2] / "docs" / "demo.md"


def scenario(**changes: Any) -> ScenarioVerdict:
    usual: dict[str, Any] = {
        "name": "drift",
        "story": "Fraud moves.",
        "ok": True,
        "expectations": [Expectation("retrained once", True, "1 retrainings")],
        "drifted": ["psi_transaction_amount"],
        "trigger": "retrain: drift on 2024-05-20",
        "gate": "promote: AUC 0.987 reaches 0.91",
        "rollout": "promote: all stages passed",
        "steps": [Step("canary_10", 10, 5.2, 55, 0, True, "passed")],
        "requests": Requests(29_819, 0, 21_000, 6),
        "auc": Auc(10_500, 0.986, 0.794, None),
        "seconds": {"detect": 12.3},
        "restarts": {},
    }
    return ScenarioVerdict(**usual | changes)


def shown(*scenarios: ScenarioVerdict) -> str:
    text = io.StringIO()
    show(Verdict(all(s.ok for s in scenarios), list(scenarios), 61.0), Console(file=text, width=160))
    return text.getvalue()


def test_the_file_is_json_that_reads_back_as_the_same_verdict(tmp_path: Path) -> None:
    verdict = Verdict(True, [scenario()], 61.0)
    path = tmp_path / "demo" / "verdict.json"
    write(verdict, path)
    assert msgspec.json.decode(path.read_bytes(), type=Verdict) == verdict


def test_a_number_that_was_not_computed_is_null_in_the_file_and_a_dash_on_the_screen(tmp_path: Path) -> None:
    unknown = scenario(auc=Auc(10_500, 0.986, None, None), gate=None, rollout=None, steps=[])
    write(Verdict(True, [unknown], 1.0), tmp_path / "verdict.json")
    (stored,) = json.loads((tmp_path / "verdict.json").read_text())["scenarios"]
    assert stored["auc"] == {"rows": 10_500, "ceiling": 0.986, "old_champion": None, "new_version": None}
    assert (stored["gate"], stored["rollout"], stored["steps"]) == (None, None, [])
    screen = shown(unknown)
    assert "old -, new -" in screen
    assert len(re.findall(r"│ (gate|rollout|steps) +│ - +│", screen)) == 3


def test_the_table_shows_each_scenario_beside_the_others() -> None:
    screen = shown(scenario(), scenario(name="steady", drifted=[]))
    assert all(word in screen for word in ("drift", "steady", "psi_transaction_amount", "none"))
    assert "29,819 served, 0 failed" in screen
    assert "✓ canary_10 5 s: 0/55 failed" in screen
    assert "ok in 61 s" in screen


def test_what_failed_is_shown_with_its_detail() -> None:
    failed = Expectation("no request of a user failed", False, "3 of 9 failed; first: ['503 [no] model']")
    screen = shown(scenario(ok=False, expectations=[failed]))
    assert "✗ no request of a user failed: 3 of 9 failed; first: ['503 [no] model']" in " ".join(
        screen.split()
    )
    assert "NOT OK in 61 s" in screen


@pytest.mark.parametrize("field", ["trigger", "gate", "rollout"])
def test_brackets_of_an_error_are_text_and_no_markup(field: str) -> None:
    assert "closing [/red] of [a tag]" in " ".join(
        shown(scenario(**{field: "closing [/red] of [a tag]"})).split()
    )


def documented() -> dict[str, dict[str, str]]:
    """Heading of a struct -> its table of field and type, as docs/demo.md has them."""
    parts = re.split(r"^#### `(\w+)`.*$", DOC.read_text(), flags=re.MULTILINE)[1:]
    rows = re.compile(r"^\| `(\w+)` \| ([^|]+?) \|", re.MULTILINE)
    return {name: dict(rows.findall(text)) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def in_words(kind: Any) -> str:
    """The JSON type of a field, as the page writes it."""
    match kind:
        case msgspec.inspect.UnionType(types=types):
            return " or ".join(map(in_words, types))
        case msgspec.inspect.ListType(item_type=item):
            return f"list of {in_words(item)}"
        case msgspec.inspect.DictType(value_type=value):
            return f"map of text to {in_words(value)}"
        case msgspec.inspect.StructType(cls=cls):
            return f"`{cls.__name__}`"
        case _:
            names = {"BoolType": "true or false", "StrType": "text", "IntType": "integer"}
            return (names | {"FloatType": "number", "NoneType": "null"})[type(kind).__name__]


def test_the_page_documents_every_field_of_the_file_and_no_other() -> None:
    structs = (Verdict, ScenarioVerdict, Expectation, Step, Requests, Auc)
    assert documented() == {
        struct.__name__: {field.encode_name: in_words(field.type) for field in fields(struct)}
        for struct in structs
    }


def fields(struct: type[msgspec.Struct]) -> tuple[msgspec.inspect.Field, ...]:
    described = msgspec.inspect.type_info(struct)
    assert isinstance(described, msgspec.inspect.StructType)
    return described.fields
