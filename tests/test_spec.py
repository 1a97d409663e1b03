"""The spec: what it refuses, in words that a person can act on, and what it assumes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from ct_assets.catalog import apply_overlay
from ct_assets.spec import ModelSpec, explain
from ct_assets.spec.model import RESERVED_COLUMNS

SMALL: dict[str, Any] = {
    "model": "churn",
    "entity": "customer_id",
    "label": "left",
    "features": {"amount": "numerical", "plan": "categorical"},
}


def spec(**replaced: Any) -> ModelSpec:
    return ModelSpec.model_validate(apply_overlay(SMALL, replaced))


def refusal(**replaced: Any) -> str:
    """The one line that a person reads."""
    with pytest.raises(ValidationError) as caught:
        spec(**replaced)
    lines = explain(caught.value)
    assert len(lines) == 1
    return lines[0]


def rule(method: str, feature: str, threshold: float = 0.05) -> dict[str, Any]:
    return {"rules": [{"feature": feature, "method": method, "threshold": threshold}]}


def test_four_keys_are_enough_and_the_rest_is_the_documented_default() -> None:
    found = spec()
    assert (found.drift.default_psi, found.drift.max_drifted_share) == (0.20, 0.30)
    assert (found.training.window_days, found.gate.threshold) == (90, 0.91)
    assert (found.rollout.steps, found.rollout.bake_s, found.rollout.error_rate_limit) == (
        (10, 50, 100),
        600,
        0.01,
    )
    assert found.calendar.schedule == "0 6 * * *"


def test_features_keep_their_order_and_split_by_kind() -> None:
    found = spec(features={"amount": "numerical", "plan": "categorical", "age": "numerical"})
    assert list(found.features) == ["amount", "plan", "age"]
    assert (found.numerical, found.categorical) == (("amount", "age"), ("plan",))


def test_the_registered_model_is_the_model_with_dashes_unless_given() -> None:
    assert spec(model="card_churn").registered_model == "card-churn"
    assert spec(registered_model="Churn").registered_model == "Churn"


def test_the_label_delay_is_a_duration() -> None:
    assert spec(label_delay_days=3).label_delay == timedelta(days=3)


def test_a_rule_names_its_check() -> None:
    found = spec(drift=rule("chisquare", "plan"))
    assert [r.check for r in found.drift.rules] == ["chisquare_plan"]


def test_nothing_can_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        spec().gate.threshold = 0.5  # type: ignore[misc]


@pytest.mark.parametrize("missing", ["model", "entity", "label", "features"])
def test_a_missing_key_without_default_is_named(missing: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelSpec.model_validate({key: value for key, value in SMALL.items() if key != missing})
    assert explain(caught.value) == [f"{missing}: is missing, and has no default: add it"]


def test_a_misspelt_key_is_refused_with_the_nearest_one() -> None:
    assert refusal(rollout={"bake": 60}) == "rollout.bake: unknown key; did you mean 'bake_s'?"
    assert refusal(trainig={}) == "trainig: unknown key; did you mean 'training'?"


def test_a_misspelt_key_inside_a_list_is_refused_with_the_nearest_one() -> None:
    rules = [{"feature": "amount", "method": "psi", "threshold": 0.2, "treshold": 0.3}]
    assert refusal(drift={"rules": rules}) == "drift.rules.0.treshold: unknown key; did you mean 'threshold'?"
    assert refusal(drift={"prediction": {"limit": 1}}).startswith(
        "drift.prediction.limit: unknown key; known are"
    )


def test_an_unknown_key_like_no_other_is_refused_with_all_keys() -> None:
    assert (
        refusal(gate={"zzz": 1}) == "gate.zzz: unknown key; known are margin, metric, parity_atol, threshold"
    )


def test_a_rule_on_a_feature_that_does_not_exist_is_refused_with_the_features() -> None:
    assert refusal(drift=rule("psi", "amont")) == (
        "drift.rules: feature 'amont' does not exist; this model has amount, plan"
    )


def test_ks_cannot_judge_a_categorical_feature() -> None:
    assert "ks cannot judge the categorical feature 'plan': use chisquare or psi" in refusal(
        drift=rule("ks", "plan")
    )


def test_chisquare_cannot_judge_a_numerical_feature() -> None:
    message = refusal(drift=rule("chisquare", "amount"))
    assert "chisquare cannot judge the numerical feature 'amount': use ks or psi" in message


@pytest.mark.parametrize("feature", ["amount", "plan"])
def test_psi_judges_every_kind(feature: str) -> None:
    assert spec(drift=rule("psi", feature, 0.2)).drift.rules[0].method == "psi"


def test_the_same_method_twice_on_a_feature_is_refused() -> None:
    twice = rule("psi", "amount", 0.1)["rules"] + rule("psi", "amount", 0.2)["rules"]
    assert refusal(drift={"rules": twice}) == "drift.rules: psi on 'amount' stands twice: keep one"


def test_two_methods_on_a_feature_are_two_rules() -> None:
    both = rule("psi", "amount", 0.1)["rules"] + rule("ks", "amount")["rules"]
    assert [r.check for r in spec(drift={"rules": both}).drift.rules] == ["psi_amount", "ks_amount"]


@pytest.mark.parametrize("method", ["ks", "chisquare"])
def test_a_p_value_of_one_or_more_is_refused(method: str) -> None:
    feature = "amount" if method == "ks" else "plan"
    assert "is a p-value: give a number between 0 and 1, e.g. 0.05" in refusal(drift=rule(method, feature, 5))


def test_a_psi_above_one_is_a_threshold_like_any_other() -> None:
    assert spec(drift=rule("psi", "amount", 1.5)).drift.rules[0].threshold == 1.5


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gate.threshold", 1.2),
        ("gate.threshold", -0.1),
        ("gate.margin", 1.0),
        ("gate.parity_atol", 0.5),
        ("drift.max_drifted_share", 0.0),  # "this share or more" of nothing would always be red
        ("drift.max_drifted_share", 1.01),
        ("drift.default_psi", 0.0),
        ("drift.default_psi", float("inf")),
        ("drift.default_psi", float("nan")),
        ("drift.window_days", 14),
        ("drift.reference", "yesterday"),
        ("drift.cooldown_days", -1),
        ("drift.persistence.k", 0),
        ("training.window_days", 0),
        ("training.holdout_days", 0),
        ("training.recency_half_life_days", 0),
        ("rollout.error_rate_limit", 0),
        ("rollout.error_rate_limit", 1),
        ("rollout.min_requests", 0),
        ("rollout.shadow.percent", 101),
        ("rollout.strategy", "big_bang"),
        ("serving.flush_s", 0),
        ("calendar.catch_up_days", 91),
        ("calendar.attempts", 0),
        ("label_delay_days", -1),
        ("task", "regression"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_key_and_itself(key: str, value: Any) -> None:
    replaced: Any = value
    for part in reversed(key.split(".")):
        replaced = {part: replaced}
    message = refusal(**replaced)
    assert message.startswith(f"{key}: ")
    assert message.endswith(f"it is {value!r}")


@pytest.mark.parametrize("steps", [[], [50, 10, 100], [10, 10, 100], [10, 50]])
def test_steps_that_do_not_rise_to_100_are_refused(steps: list[int]) -> None:
    assert refusal(rollout={"steps": steps}) == (
        f"rollout.steps: steps {steps} must rise strictly and end at 100, e.g. [10, 50, 100]"
    )


def test_a_deadline_that_is_not_longer_than_the_bake_is_refused() -> None:
    message = refusal(rollout={"bake_s": 600, "deadline_s": 600})
    assert message.startswith("rollout: deadline_s=600 must be longer than bake_s=600")
    assert message.endswith("raise deadline_s or lower bake_s")


def test_more_drifted_days_than_are_looked_at_are_refused() -> None:
    message = refusal(drift={"persistence": {"k": 3, "n": 2}})
    assert message == "drift.persistence: k=3 of n=2 days can never be reached: lower k or raise n"


def test_an_unknown_trainer_is_refused_with_the_known_ones() -> None:
    message = refusal(training={"trainer": "xgboost"})
    assert "unknown trainer 'xgboost': use one of hist_gradient_boosting, gradient_boosting" in message
    assert spec(training={"trainer": "my.package:train"}).training.trainer == "my.package:train"


@pytest.mark.parametrize("name", ["Churn", "card-churn", "2churn", "", "churn\n"])
def test_a_model_that_is_not_snake_case_is_refused(name: str) -> None:
    assert "use lower case, digits and _" in refusal(model=name)


@pytest.mark.parametrize("name", ["Amount", "amount usd", "_amount", "amount\n"])
def test_a_feature_that_cannot_be_a_column_is_refused(name: str) -> None:
    assert "becomes a column and a check name" in refusal(features={name: "numerical"})


@pytest.mark.parametrize("name", sorted(RESERVED_COLUMNS))
def test_a_feature_named_after_a_column_of_the_log_is_refused(name: str) -> None:
    assert refusal(features={name: "numerical"}) == (
        f"features: feature '{name}' is a column of the feature log itself: rename it"
    )


def test_a_model_without_features_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1"):
        ModelSpec.model_validate(SMALL | {"features": {}})


@pytest.mark.parametrize("column", ["customer_id", "left"])
def test_entity_and_label_are_no_features(column: str) -> None:
    assert f"'{column}' is the entity or the label and a feature too" in refusal(
        features={column: "numerical"}
    )


@pytest.mark.parametrize("value", ["2024-13-01", "01.02.2024", "yesterday", ""])
def test_a_history_start_that_is_no_date_is_refused(value: str) -> None:
    assert refusal(history_start=value).startswith(f"history_start: history_start '{value}' is no ISO date")


def test_a_history_start_may_stand_without_quotes() -> None:
    assert spec(history_start=date(2025, 3, 1)).history_start == "2025-03-01"


def test_an_owner_is_a_person_or_a_team() -> None:
    assert refusal(owners=["fraud"]).endswith("write 'team:fraud'")
    assert spec(owners=["team:fraud", "ann@bank.example"]).owners == ("team:fraud", "ann@bank.example")


def test_a_cron_of_other_than_five_fields_is_refused() -> None:
    assert "is no cron of five fields" in refusal(calendar={"schedule": "06:00"})


@pytest.mark.parametrize("key", ["champion_urls", "challenger_urls"])
def test_an_endpoint_without_a_scheme_is_refused(key: str) -> None:
    message = refusal(serving={key: ["127.0.0.1:8000"]})
    assert message == f"serving.{key}: '127.0.0.1:8000' is no address: write http://host:port"


def test_an_address_loses_its_last_slash_so_that_a_path_can_follow() -> None:
    assert (
        spec(rollout={"envoy_admin_url": "http://router:9901/"}).rollout.envoy_admin_url
        == "http://router:9901"
    )


def test_a_model_without_endpoints_is_refused() -> None:
    assert "serving.champion_urls" in refusal(serving={"champion_urls": []})


def test_every_error_of_a_file_is_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        spec(gate={"threshold": 2}, rollout={"bake": 1})
    assert [line.split(":")[0] for line in explain(caught.value)] == ["gate.threshold", "rollout.bake"]


def test_a_spec_survives_its_own_json() -> None:
    found = spec(drift=rule("psi", "amount", 0.2), history_start=date(2025, 3, 1))
    assert ModelSpec.model_validate_json(found.model_dump_json()) == found


SCHEMA = ModelSpec.model_json_schema()


@pytest.mark.parametrize("name", ["ModelSpec", *SCHEMA["$defs"]])
def test_an_editor_can_explain_every_key(name: str) -> None:
    part = SCHEMA if name == "ModelSpec" else SCHEMA["$defs"][name]
    assert part["description"]
    assert part["additionalProperties"] is False
    # A key whose words are its part's own carries them by reference.
    undescribed = [
        key for key, value in part["properties"].items() if not ({"description", "$ref"} & value.keys())
    ]
    assert not undescribed, f"{name}: add a docstring under {undescribed}"
