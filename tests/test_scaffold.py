"""The template that `dg scaffold defs` writes: it loads as it stands, and spells out every default as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ct_assets.catalog import load_spec
from ct_assets.component import TEMPLATE, ContinuousTraining, ContinuousTrainingScaffolder
from ct_assets.spec import ModelSpec

OWN = {"model", "entity", "label", "features"}


@pytest.fixture
def scaffolded(tmp_path: Path) -> Path:
    """The folder `defs`, with the model `churn` in it as the Scaffolder writes it."""
    import dagster as dg

    request: dg.ScaffoldRequest[Any] = dg.ScaffoldRequest(
        type_name="ct_assets.component.ContinuousTraining",
        target_path=tmp_path / "churn",
        scaffold_format="yaml",
        project_root=tmp_path,
        params=None,
    )
    ContinuousTrainingScaffolder().scaffold(request)
    return tmp_path


def test_a_scaffolded_model_loads_as_it_stands(scaffolded: Path) -> None:
    assert load_spec("churn", defs=scaffolded).registered_model == "churn"


def test_every_value_of_the_template_is_the_specs_default(scaffolded: Path) -> None:
    spec = load_spec("churn", defs=scaffolded)
    bare = ModelSpec.model_validate({key: getattr(spec, key) for key in OWN})
    assert spec == bare


def test_every_key_of_the_spec_stands_in_the_template(scaffolded: Path) -> None:
    written = yaml.safe_load((scaffolded / "churn" / "defs.yaml").read_text())["attributes"]
    spec = load_spec("churn", defs=scaffolded)
    assert keys(written) == keys(spec.model_dump())


def test_the_rules_that_are_commented_out_load_when_uncommented(scaffolded: Path) -> None:
    path = scaffolded / "churn" / "defs.yaml"
    text = path.read_text().replace("rules: []", "rules:").replace("    # - {", "    - {")
    path.write_text(text)
    checks = [rule.check for rule in load_spec("churn", defs=scaffolded).drift.rules]
    assert checks == ["psi_amount", "chisquare_country", "ks_amount"]


def test_no_placeholder_is_left(scaffolded: Path) -> None:
    text = (scaffolded / "churn" / "defs.yaml").read_text()
    assert "__" not in text
    assert "__TYPE__" in TEMPLATE.read_text()


def test_the_component_reads_the_same_spec() -> None:
    assert ContinuousTraining.get_model_cls() is ModelSpec


def keys(values: Any, at: str = "") -> set[str]:
    """Dotted keys, down to the values; features and parameters are the model's own."""
    if not isinstance(values, dict) or at in {"features", "training.parameters"}:
        return {at}
    return {found for key, value in values.items() for found in keys(value, f"{at}.{key}".lstrip("."))}
