from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest

from ct_assets.gate import GateDecision, GateError, RuleResult, Scores, decide
from ct_assets.spec import GateSpec

OLD, NEW = date(2026, 3, 1), date(2026, 4, 1)
LABELS = (np.arange(400) % 8 == 0).astype(float)


def _scores(noise: float, version: str = "2", labels: np.ndarray = LABELS) -> Scores:
    return Scores(version, labels, labels + np.random.default_rng(5).normal(0, noise, len(labels)))


GOOD, MIDDLING, POOR = _scores(0.3), _scores(0.6, "1"), _scores(3.0)


def _decide(candidate: Scores = GOOD, champion: Scores | None = MIDDLING, **changed: object) -> GateDecision:
    given = {"parity": 1e-7, "candidate_as_of": NEW, "champion_as_of": OLD if champion else None} | changed
    return decide(GateSpec(), candidate=candidate, champion=champion, **given)  # type: ignore[arg-type]


def _rule(decision: GateDecision, check: str) -> RuleResult:
    return next(rule for rule in decision.rules if rule.check == check)


def test_a_better_newer_faithful_candidate_is_promoted() -> None:
    decision = _decide()
    assert decision.promote
    assert [rule.check for rule in decision.rules] == [
        "auc_threshold",
        "better_than_champion",
        "onnx_parity",
        "newer_than_champion",
    ]
    assert all(rule.passed for rule in decision.rules)
    assert "reaches 0.91" in decision.reason
    assert "beats champion 1" in decision.reason


def test_the_first_champion_still_passes_every_absolute_rule() -> None:
    decision = _decide(champion=None)
    assert decision.promote
    assert _rule(decision, "better_than_champion").detail == "no champion yet"
    assert _rule(decision, "newer_than_champion").detail == "no champion yet"
    assert not _decide(candidate=POOR, champion=None).promote
    assert not _decide(champion=None, parity=0.1).promote


def test_the_reason_of_a_rejection_names_both_numbers() -> None:
    decision = _decide(candidate=_scores(1.2))
    auc = _rule(decision, "auc_threshold")
    assert not decision.promote
    assert not auc.passed
    assert auc.detail == f"AUC {auc.value:.3f} is below 0.91"
    assert auc.detail in decision.reason


def test_a_candidate_that_only_equals_the_champion_is_rejected() -> None:
    same = Scores("1", GOOD.labels, GOOD.predictions)
    decision = _decide(champion=same)
    rule = _rule(decision, "better_than_champion")
    assert (decision.promote, rule.passed, rule.value) == (False, False, 0.0)
    assert rule.detail.startswith("does not beat champion 1 at all")


def test_a_margin_must_be_exceeded_not_only_reached() -> None:
    gain = _rule(_decide(), "better_than_champion").value
    assert gain > 0
    for margin, passed in ((gain * 0.99, True), (gain, False)):
        decision = decide(
            GateSpec(margin=margin),
            candidate=GOOD,
            champion=MIDDLING,
            parity=0.0,
            candidate_as_of=NEW,
            champion_as_of=OLD,
        )
        assert _rule(decision, "better_than_champion").passed is passed


def test_the_interval_of_the_difference_is_shown_and_kept() -> None:
    decision = _decide()
    difference = decision.evidence["difference"]
    assert difference["low"] < difference["difference"] < difference["high"]
    assert (
        f"(95% {difference['low']:+.4f} to {difference['high']:+.4f})"
        in _rule(decision, "better_than_champion").detail
    )


@pytest.mark.parametrize("as_of", [OLD, date(2026, 2, 1)])
def test_a_candidate_not_newer_than_the_champion_is_refused_however_good(as_of: date) -> None:
    decision = _decide(candidate_as_of=as_of)
    assert not decision.promote
    assert (
        _rule(decision, "newer_than_champion").detail == f"as of {as_of}, not newer than the champion's {OLD}"
    )


def test_a_champion_without_an_as_of_day_makes_the_order_inconclusive() -> None:
    rule = _rule(_decide(champion_as_of=None), "newer_than_champion")
    assert (rule.passed, rule.inconclusive, rule.value) == (False, True, None)


def test_a_graph_that_is_not_the_model_is_rejected() -> None:
    assert _rule(_decide(parity=1e-5), "onnx_parity").passed
    assert not _rule(_decide(parity=1.1e-5), "onnx_parity").passed
    unmeasured = _rule(_decide(parity=float("nan")), "onnx_parity")
    assert (unmeasured.passed, unmeasured.inconclusive, unmeasured.value) == (False, True, None)
    assert not _decide(parity=float("inf")).promote


def test_one_class_in_the_holdout_is_inconclusive_never_a_number() -> None:
    labels = np.zeros(400)
    decision = _decide(candidate=_scores(0.3, labels=labels), champion=_scores(0.6, "1", labels))
    for check in ("auc_threshold", "better_than_champion"):
        rule = _rule(decision, check)
        assert (rule.passed, rule.inconclusive, rule.value) == (False, True, None)
        assert "0 positive and 400 negative rows" in rule.detail
    assert decision.evidence["candidate_auc"] is None


def test_an_empty_holdout_is_inconclusive() -> None:
    assert not _decide(candidate=Scores("2", np.array([]), np.array([])), champion=None).promote


def test_a_prediction_that_is_no_number_is_inconclusive_and_says_whose() -> None:
    broken = GOOD.predictions.copy()
    broken[3] = np.nan
    own = _decide(candidate=Scores("2", LABELS, broken))
    theirs = _decide(champion=Scores("1", LABELS, broken))
    assert _rule(own, "auc_threshold").inconclusive
    assert "of the candidate is not a number" in own.reason
    assert "of the champion is not a number" in theirs.reason


def test_a_backfill_is_judged_but_moves_nothing() -> None:
    decision = _decide(backfill=True)
    assert not decision.promote
    assert all(rule.passed for rule in decision.rules)
    assert "backfill" in decision.reason


def test_scores_of_different_rows_cannot_be_paired() -> None:
    with pytest.raises(GateError, match=r"2 \(400 rows\) and 1 \(399 rows\)"):
        _decide(champion=_scores(0.6, "1", LABELS[1:]))
    ids = np.arange(400)
    with pytest.raises(GateError, match="same labelled rows"):
        _decide(
            candidate=Scores("2", LABELS, GOOD.predictions, ids),
            champion=Scores("1", LABELS, MIDDLING.predictions, ids + 8),
        )


def test_labels_that_are_not_binary_are_refused() -> None:
    with pytest.raises(GateError, match="0 or 1"):
        Scores("2", np.array([0.0, 2.0]), np.array([0.1, 0.2]))


def test_a_rounded_auc_never_reads_as_if_it_passed() -> None:
    """0.9098 is below 0.91: the sentence must not say 'AUC 0.910 is below 0.91'."""
    labels = np.r_[np.zeros(5_000), np.ones(5_000)]
    predictions = np.r_[np.linspace(0, 1, 5_000), np.full(5_000, 0.90985)]
    detail = _rule(_decide(candidate=Scores("2", labels, predictions), champion=None), "auc_threshold").detail
    assert detail == "AUC 0.9098 is below 0.91"


def test_the_evidence_goes_into_the_ledger_as_it_is() -> None:
    for decision in (_decide(), _decide(champion=None, parity=float("inf"))):
        assert json.loads(json.dumps(decision.evidence, allow_nan=False)) == decision.evidence
