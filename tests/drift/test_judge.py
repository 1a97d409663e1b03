from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from ct_assets.drift import DriftVerdict, Outcome, Reference, RuleVerdict, check_names
from ct_assets.spec import ModelSpec

Traffic = Callable[..., pa.Table]
Judge = Callable[..., DriftVerdict]
Replace = Callable[..., pa.Table]


def by_check(verdict: DriftVerdict) -> dict[str, RuleVerdict]:
    return {rule.check: rule for rule in verdict.rules}


def test_a_quiet_day_passes_every_check(judged: Judge, traffic: Traffic) -> None:
    verdict = judged(traffic(1500, 5))
    assert verdict.outcome is Outcome.PASS
    assert verdict.reason == "none of 5 checks drifted"


def test_every_declared_check_is_there_in_order_whatever_the_window_holds(
    judged: Judge, traffic: Traffic, spec: ModelSpec
) -> None:
    names = ("psi_amount", "chisquare_category", "ks_hour", "drifted_share", "prediction_drift")
    assert check_names(spec) == names
    for current in (traffic(1500, 5), traffic(3, 5), traffic(0, 5), pa.table({})):
        assert tuple(rule.check for rule in judged(current).rules) == names


def test_a_model_without_a_prediction_rule_has_no_such_check(
    make_spec: Callable[..., ModelSpec], judged: Judge, traffic: Traffic
) -> None:
    bare = make_spec(drift={"prediction": None})
    assert check_names(bare)[-1] == "drifted_share"
    assert tuple(rule.check for rule in judged(traffic(1500, 5), spec=bare).rules) == check_names(bare)


@pytest.mark.parametrize(
    ("moved", "check"),
    [
        ({"amount_factor": 1.8}, "psi_amount"),
        ({"shares": (0.35, 0.3, 0.35)}, "chisquare_category"),
        ({"hours": 15.0}, "ks_hour"),
        ({"score_shift": 0.05}, "prediction_drift"),
    ],
)
def test_what_moved_is_red_and_nothing_else(
    moved: dict[str, object], check: str, judged: Judge, traffic: Traffic
) -> None:
    verdict = judged(traffic(1500, 5, **moved))
    assert verdict.outcome is Outcome.DRIFT
    assert {name for name, rule in by_check(verdict).items() if rule.outcome is Outcome.DRIFT} - {
        "drifted_share"
    } == {check}
    assert check in verdict.reason


def test_the_share_counts_features_without_a_rule_too(
    judged: Judge, traffic: Traffic, replace_column: Replace
) -> None:
    rows = traffic(1500, 5, amount_factor=1.8)
    aged = replace_column(rows, "age", rows["age"].to_numpy() * 3)
    verdict = judged(aged)
    assert by_check(verdict)["drifted_share"].value == 0.5
    assert by_check(verdict)["drifted_share"].outcome is Outcome.DRIFT
    assert [(rule.feature, rule.outcome) for rule in verdict.others] == [("age", Outcome.DRIFT)]


def test_the_guard_takes_a_small_shift_for_noise_and_the_bare_contract_does_not(
    make_spec: Callable[..., ModelSpec], judged: Judge, traffic: Traffic, replace_column: Replace
) -> None:
    shares = ["food"] * 690 + ["fuel"] * 460 + ["travel"] * 350  # 46/31/23 % where 50/30/20 % are usual
    rows = replace_column(traffic(1500, 5), "category", shares)
    guarded = by_check(judged(rows))["chisquare_category"]
    assert (guarded.contract, guarded.guard, guarded.outcome) == (Outcome.DRIFT, False, Outcome.PASS)
    assert "does not stand clear of the noise floor" in guarded.reason
    bare = by_check(judged(rows, spec=make_spec(drift={"guard": False})))["chisquare_category"]
    assert (bare.contract, bare.guard, bare.outcome) == (Outcome.DRIFT, None, Outcome.DRIFT)
    assert bare.value == guarded.value
    assert bare.effect == guarded.effect


def test_an_outlier_that_blinds_the_contract_is_told_and_does_not_alarm(
    judged: Judge, traffic: Traffic, replace_column: Replace
) -> None:
    rows = traffic(1500, 5, amount_factor=1.8)
    blinded = by_check(judged(replace_column(rows, "amount", [*rows["amount"].to_pylist()[:-1], 1e6])))[
        "psi_amount"
    ]
    assert blinded.value is not None
    assert blinded.value < 0.01
    assert blinded.outcome is Outcome.PASS
    assert "though the effect" in blinded.reason


def test_too_few_rows_judge_nothing(judged: Judge, traffic: Traffic) -> None:
    verdict = judged(traffic(499, 5, amount_factor=3))
    assert {rule.outcome for rule in verdict.rules} == {Outcome.INCONCLUSIVE}
    assert {rule.value for rule in verdict.rules} == {None}
    assert "the window holds 499 rows; 500 are needed" in verdict.reason


def test_an_empty_reference_judges_nothing_and_says_so(
    judged: Judge, traffic: Traffic, reference: Reference
) -> None:
    empty = pa.table({name: pa.array([], pa.null()) for name in reference.features.column_names})
    verdict = judged(traffic(1500, 5), reference=Reference(empty, None, None, True, "nothing yet"))
    assert {rule.outcome for rule in verdict.rules} == {Outcome.INCONCLUSIVE}
    assert "the reference holds no value of 'amount'" in verdict.reason
    assert (verdict.champion, verdict.hypothetical, verdict.reference_rows) == (None, True, 0)


BROKEN = {
    "missing": lambda rows: rows.drop_columns(["hour"]),
    "all null": lambda rows: rows.set_column(2, "hour", pa.array([None] * rows.num_rows, pa.float64())),
    "all infinite": lambda rows: rows.set_column(2, "hour", pa.array([np.inf] * rows.num_rows)),
    "strings": lambda rows: rows.set_column(2, "hour", pa.array(["noon"] * rows.num_rows)),
    "constant": lambda rows: rows.set_column(2, "hour", pa.array([0.0] * rows.num_rows)),
    "a third null": lambda rows: rows.set_column(
        2, "hour", pa.array([None if n % 3 == 0 else float(n % 24) for n in range(rows.num_rows)])
    ),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_column_is_a_data_fault_and_stops_no_other(
    damage: str, judged: Judge, traffic: Traffic
) -> None:
    verdict = judged(BROKEN[damage](traffic(1500, 5, amount_factor=1.8)))
    found = by_check(verdict)
    assert found["ks_hour"].outcome is Outcome.DATA_FAULT
    assert "hour" in found["ks_hour"].reason
    assert found["psi_amount"].outcome is Outcome.DRIFT
    assert found["chisquare_category"].outcome is Outcome.PASS
    assert verdict.outcome is Outcome.DATA_FAULT
    assert verdict.reason.startswith("broken data, repair the source before anything is retrained: ks_hour")


def test_some_infinities_are_dropped_and_told(
    judged: Judge, traffic: Traffic, replace_column: Replace
) -> None:
    rows = traffic(1500, 5)
    some = replace_column(rows, "amount", [np.inf] * 7 + rows["amount"].to_pylist()[7:])
    found = by_check(judged(some))["psi_amount"]
    assert found.outcome is Outcome.PASS
    assert found.reason.endswith("; 7 infinite values dropped")


def test_a_feature_that_the_reference_does_not_know_is_inconclusive_not_broken(
    judged: Judge, traffic: Traffic, reference: Reference
) -> None:
    older = Reference(
        reference.features.drop_columns(["hour"]), reference.scores, "3", False, "before hour was a feature"
    )
    found = by_check(judged(traffic(1500, 5), reference=older))
    assert found["ks_hour"].outcome is Outcome.INCONCLUSIVE
    assert found["ks_hour"].reason == "the reference cannot be used: column 'hour' is missing"
    assert found["psi_amount"].outcome is Outcome.PASS


def test_numbers_that_no_bin_fits_between_cost_their_own_rule_only(
    judged: Judge, traffic: Traffic, reference: Reference, replace_column: Replace
) -> None:
    ids = 1e17 + 16.0 * np.arange(21)  # neighbours in float64: the 22 bins of two million rows find no room
    usual = pa.concat_tables([reference.features] * 263).slice(0, 2_100_000)
    tight = Reference(
        replace_column(usual, "amount", np.resize(ids, 2_100_000)), None, "3", False, "ids by mistake"
    )
    found = by_check(
        judged(replace_column(traffic(1500, 5), "amount", np.resize(ids, 1500)), reference=tight)
    )
    assert found["psi_amount"].outcome is Outcome.INCONCLUSIVE
    assert "psi of 'amount' cannot be computed: Too many bins" in found["psi_amount"].reason
    assert found["chisquare_category"].value is not None


def test_a_verdict_names_its_window(
    make_spec: Callable[..., ModelSpec], judged: Judge, traffic: Traffic
) -> None:
    verdict = judged(traffic(1500, 5), spec=make_spec(drift={"window_days": 7}), day=date(2024, 5, 3))
    assert (verdict.window_start, verdict.window_end) == (date(2024, 4, 27), date(2024, 5, 3))
    assert (verdict.rows, verdict.reference_rows, verdict.fingerprint) == (1500, 8000, "f1")
    assert (verdict.model, verdict.champion, verdict.hypothetical) == ("shop", "3", False)


def test_the_order_of_rows_changes_nothing(judged: Judge, traffic: Traffic, reference: Reference) -> None:
    rows = traffic(1500, 5)
    shuffled = rows.take(np.random.default_rng(0).permutation(rows.num_rows))
    for a, b in zip(judged(rows).rules, judged(shuffled, reference=replace(reference)).rules, strict=True):
        assert a.outcome is b.outcome
        assert a.value == pytest.approx(b.value)
