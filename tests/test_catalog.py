"""The catalog: a model's file and the deployment's overlay into a spec, or a line that says what to change where."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from ct_assets.catalog import SpecError, apply_overlay, load_spec, load_specs, read_overlay

GOOD = """
type: ct_assets.component.ContinuousTraining
attributes:
  model: churn
  entity: customer_id
  label: left
  features: {amount: numerical, plan: categorical}
  rollout: {steps: [10, 100], bake_s: 600}
"""


@pytest.fixture
def defs(tmp_path: Path) -> Path:
    write(tmp_path / "defs", "churn", GOOD)
    return tmp_path / "defs"


def write(defs: Path, model: str, text: str) -> Path:
    path = defs / model / "defs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def overlay(defs: Path, text: str) -> Path:
    path = defs.parent / "overlay.yaml"
    path.write_text(dedent(text))
    return path


def test_every_model_that_ships_loads() -> None:
    specs = load_specs()
    assert "fraud_detector" in specs
    assert all(name == spec.model for name, spec in specs.items())


def test_the_fraud_detector_is_the_documented_one() -> None:
    spec = load_spec("fraud_detector")
    rules = [(rule.check, rule.threshold) for rule in spec.drift.rules]
    assert rules == [
        ("psi_transaction_amount", 0.20),
        ("chisquare_merchant_category", 0.05),
        ("ks_hour_of_day", 0.01),
    ]
    assert spec.drift.max_drifted_share == 0.30
    assert (spec.training.window_days, spec.gate.threshold) == (90, 0.91)
    assert (spec.rollout.steps, spec.rollout.bake_s, spec.rollout.error_rate_limit) == (
        (10, 50, 100),
        600,
        0.01,
    )
    assert (spec.calendar.schedule, spec.registered_model) == ("0 6 * * *", "fraud-detector")


def test_a_model_is_found_by_its_folder(defs: Path) -> None:
    assert load_spec("churn", defs=defs).entity == "customer_id"
    assert list(load_specs(defs=defs)) == ["churn"]


def test_an_unknown_model_is_refused_with_the_known_ones(defs: Path) -> None:
    with pytest.raises(SpecError, match=r"no model 'chrn' \(known: churn\)"):
        load_spec("chrn", defs=defs)
    with pytest.raises(SpecError, match=r"\(known: none yet\)"):
        load_spec("chrn", defs=defs / "empty")


def test_an_error_names_file_key_and_fix(defs: Path) -> None:
    path = write(defs, "churn", GOOD.replace("bake_s", "bake"))
    with pytest.raises(SpecError) as caught:
        load_spec("churn", defs=defs)
    assert str(caught.value) == f"{path}: rollout.bake: unknown key; did you mean 'bake_s'?"


def test_every_error_of_a_file_has_its_line(defs: Path) -> None:
    path = write(defs, "churn", GOOD.replace("bake_s", "bake").replace("numerical", "number"))
    with pytest.raises(SpecError) as caught:
        load_spec("churn", defs=defs)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        [str(path), "features.amount"],
        [str(path), "rollout.bake"],
    ]


def test_broken_yaml_is_told_with_file_and_line(defs: Path) -> None:
    path = write(defs, "churn", GOOD + "  gate: {threshold: 0.9\n")
    with pytest.raises(SpecError, match=rf"{path}: no valid YAML: .*(\n.*)*line \d+"):
        load_spec("churn", defs=defs)


def test_bytes_that_are_no_text_are_told_with_the_file(defs: Path) -> None:
    (defs / "churn" / "defs.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match=r"defs\.yaml: no valid YAML"):
        load_spec("churn", defs=defs)


@pytest.mark.parametrize(
    "text", ["", "- a list", "type: ct_assets.component.ContinuousTraining\n", "attributes: {}\n"]
)
def test_a_file_without_a_model_is_told_what_it_needs(defs: Path, text: str) -> None:
    path = write(defs, "churn", text)
    with pytest.raises(SpecError, match=rf"{path}: no model: it needs 'type: .*' and 'attributes'"):
        load_spec("churn", defs=defs)


def test_a_model_that_is_not_named_like_its_folder_is_refused(defs: Path) -> None:
    write(defs, "loyalty", GOOD)
    with pytest.raises(SpecError, match=r"model is 'churn', its folder 'loyalty': give both the same name"):
        load_spec("loyalty", defs=defs)


def test_another_component_in_defs_is_no_model(defs: Path) -> None:
    write(defs, "exports", "type: dagster_sling.SlingReplicationCollectionComponent\nattributes: {}\n")
    assert list(load_specs(defs=defs)) == ["churn"]


def test_a_broken_file_of_another_model_stops_nobody(defs: Path) -> None:
    write(defs, "loyalty", "attributes: {")
    assert load_spec("churn", defs=defs).model == "churn"


def test_an_overlay_replaces_keys_and_keeps_their_neighbours(defs: Path) -> None:
    path = overlay(defs, "churn: {rollout: {bake_s: 5}, gate: {threshold: 0.8}}")
    spec = load_spec("churn", overlay=path, defs=defs)
    assert (spec.rollout.bake_s, spec.rollout.steps, spec.gate.threshold) == (5, (10, 100), 0.8)


def test_an_overlay_replaces_a_list_whole(defs: Path) -> None:
    path = overlay(defs, "churn: {rollout: {steps: [100]}}")
    assert load_spec("churn", overlay=path, defs=defs).rollout.steps == (100,)


def test_an_overlay_of_another_model_changes_nothing(defs: Path) -> None:
    write(defs, "loyalty", GOOD.replace("churn", "loyalty"))
    path = overlay(defs, "loyalty: {rollout: {bake_s: 5}}")
    specs = load_specs(overlay=path, defs=defs)
    assert (specs["churn"].rollout.bake_s, specs["loyalty"].rollout.bake_s) == (600, 5)


def test_an_overlay_for_a_model_that_does_not_exist_is_refused(defs: Path) -> None:
    path = overlay(defs, "chrun: {rollout: {bake_s: 5}}")
    with pytest.raises(
        SpecError, match=rf"{path}: there is no model 'chrun' to put keys over \(known: churn\)"
    ):
        load_spec("churn", overlay=path, defs=defs)


def test_a_wrong_key_of_an_overlay_names_the_overlay_too(defs: Path) -> None:
    path = overlay(defs, "churn: {rolout: {bake_s: 5}}")
    with pytest.raises(
        SpecError, match=rf"defs\.yaml with {path}: rolout: unknown key; did you mean 'rollout'\?"
    ):
        load_spec("churn", overlay=path, defs=defs)


@pytest.mark.parametrize("text", ["- churn", "churn", "churn: 5"])
def test_an_overlay_of_another_shape_is_refused_with_an_example(defs: Path, text: str) -> None:
    path = overlay(defs, text)
    with pytest.raises(SpecError, match="an overlay maps model names to keys of their spec"):
        read_overlay(path)


def test_no_overlay_and_an_empty_one_replace_nothing(defs: Path) -> None:
    assert read_overlay(None) == {}
    assert read_overlay(overlay(defs, "# nothing yet")) == {}


def test_an_overlay_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"gone\.yaml: cannot be read"):
        read_overlay(tmp_path / "gone.yaml")


def test_merging_leaves_its_arguments_as_they_were() -> None:
    below = {"a": {"b": 1, "c": [1, 2]}, "d": 4}
    assert apply_overlay(below, {"a": {"c": [3]}, "e": {"f": 5}}) == {
        "a": {"b": 1, "c": [3]},
        "d": 4,
        "e": {"f": 5},
    }
    assert below == {"a": {"b": 1, "c": [1, 2]}, "d": 4}


def test_an_overlay_may_put_a_part_where_none_was_and_turn_one_off() -> None:
    assert apply_overlay({"p": {"q": 1}}, {"p": None}) == {"p": None}
    assert apply_overlay({"p": None}, {"p": {"q": 1}}) == {"p": {"q": 1}}
