from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct_assets.calendar import Slot
from ct_assets.drift.facts import Facts, Judged, LabelSufficiency
from ct_assets.drift.trigger import Action, Trigger, decide
from ct_assets.drift.verdict import Outcome
from ct_assets.spec import ModelSpec

DAY = date(2024, 5, 1)
NOON = datetime(2024, 5, 2, 12, tzinfo=UTC)
ONE = timedelta(days=1)
ENOUGH = LabelSufficiency(12_000, 140, 1_000, 30, None)
SHORT = LabelSufficiency(800, 12, 1_000, 30, date(2024, 5, 6))


def model(k: int = 1, n: int = 1, cooldown_days: int = 1, max_age_days: int = 2) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "model": "shop",
            "entity": "user",
            "label": "bought",
            "features": {"amount": "numerical"},
            "drift": {"persistence": {"k": k, "n": n}, "cooldown_days": cooldown_days},
            "calendar": {"max_age_days": max_age_days},
        }
    )


def verdict(
    back: int = 0, outcome: Outcome = Outcome.DRIFT, champion: str | None = "3", fingerprint: str = "f"
) -> Judged:
    day = DAY - back * ONE
    return Judged(day, outcome, fingerprint, champion, f"e{back}", "psi_amount: PSI 0.41 reaches 0.2")


def facts(*judged: Judged, **over: Any) -> Facts:
    """Everything says retrain, but for what is given."""
    given: dict[str, Any] = {
        "now": NOON,
        "live": Slot(DAY, 3, NOON - ONE, "f"),
        "live_fingerprint": "f",
        "judged": {j.day: j for j in (judged or (verdict(),))},
        "champion": "3",
        "in_flight": False,
        "last_retrained": None,
        "labels": ENOUGH,
    }
    return Facts(**(given | over))


def held(trigger: Trigger) -> str:
    assert trigger.action is Action.HOLD
    return trigger.reason


def test_drift_on_the_live_day_with_enough_labels_retrains_as_of_that_day() -> None:
    assert decide(facts(), model()) == Trigger(
        Action.RETRAIN,
        "drift on 2024-05-01 against version 3, 1 of the last 1 judged days, with 12,000 mature rows and 140 positives "
        "to learn from: psi_amount: PSI 0.41 reaches 0.2",
        DAY,
        "e0",
    )


def test_without_a_champion_it_holds_and_says_how_the_first_one_is_made() -> None:
    trigger = decide(facts(champion=None), model())
    assert "no version of shop is champion yet" in held(trigger)
    assert "`ct retrain shop`" in trigger.reason


def test_no_live_day_holds() -> None:
    trigger = decide(facts(live=None), model())
    assert held(trigger) == "no live day: no day with rows is due yet"
    assert (trigger.day, trigger.evaluation) == (None, None)


def test_an_old_day_never_triggers() -> None:
    due = datetime(2024, 5, 2, 6, tzinfo=UTC)  # its end, and six hours of grace
    assert decide(facts(now=due + 2 * ONE), model()).action is Action.RETRAIN
    late = decide(facts(now=due + 2 * ONE + timedelta(seconds=1)), model())
    assert held(late) == "the newest day with rows, 2024-05-01, was due more than 2 days ago: nothing is live"


def test_an_unjudged_live_day_holds_whatever_earlier_days_said() -> None:
    assert held(decide(facts(verdict(back=1)), model())) == "the live day 2024-05-01 is not judged yet"


def test_a_verdict_against_another_champion_holds() -> None:
    said = held(decide(facts(verdict(champion="2")), model()))
    assert said == "2024-05-01 was judged against version 2, and version 3 is champion now"
    assert "a hypothetical reference" in held(decide(facts(verdict(champion=None)), model()))


def test_a_stale_verdict_holds() -> None:
    assert "the verdict on 2024-05-01 is stale" in held(decide(facts(live_fingerprint="g"), model()))


def test_no_drift_holds() -> None:
    assert "no drift on 2024-05-01" in held(decide(facts(verdict(outcome=Outcome.PASS)), model()))
    assert "is inconclusive" in held(decide(facts(verdict(outcome=Outcome.INCONCLUSIVE)), model()))


def test_a_data_fault_is_said_apart_from_no_drift() -> None:
    said = held(decide(facts(verdict(outcome=Outcome.DATA_FAULT)), model()))
    assert said.startswith("data fault on 2024-05-01, which blocks retraining until it is repaired")


def test_drift_must_persist_for_k_of_the_last_n_judged_days() -> None:
    days = [verdict(), verdict(1, Outcome.PASS), verdict(3)]  # two days ago nothing was judged
    assert decide(facts(*days), model(k=2, n=3)).action is Action.RETRAIN
    said = held(decide(facts(*days), model(k=3, n=3)))
    assert (
        said
        == "drift on 2024-05-01, but on only 2 of the last 3 days judged against version 3; 3 of 3 are needed"
    )
    assert "only 1 of the last 2" in held(decide(facts(*days), model(k=2, n=2)))


def test_days_judged_against_an_earlier_champion_do_not_count() -> None:
    days = [verdict(), verdict(1, champion="2"), verdict(2, champion=None)]
    assert "only 1 of the last 1 days" in held(decide(facts(*days), model(k=2, n=3)))


def test_nothing_starts_beside_what_is_in_flight() -> None:
    assert "already in flight" in held(decide(facts(in_flight=True), model()))


def test_the_cooldown_counts_event_days_and_names_the_first_day_after_it() -> None:
    waiting = decide(facts(last_retrained=DAY - ONE), model(cooldown_days=1))
    assert "a retraining as of 2024-04-30 is done" in held(waiting)
    assert waiting.until == date(2024, 5, 2)
    assert decide(facts(last_retrained=DAY - 2 * ONE), model(cooldown_days=1)).action is Action.RETRAIN
    assert decide(facts(last_retrained=DAY - ONE), model(cooldown_days=0)).action is Action.RETRAIN


def test_the_same_day_is_not_retrained_twice_even_without_a_cooldown() -> None:
    assert held(decide(facts(last_retrained=DAY), model(cooldown_days=0)))
    assert held(decide(facts(last_retrained=DAY + ONE), model(cooldown_days=0)))


def test_short_labels_wait_and_name_the_date() -> None:
    trigger = decide(facts(labels=SHORT), model())
    assert trigger == Trigger(
        Action.WAIT,
        "drift on 2024-05-01, but its training window holds 800 mature rows with 12 positives, and 1,000 with 30 are "
        "needed: enough from the as-of day 2024-05-06 on",
        DAY,
        "e0",
        date(2024, 5, 6),
    )
    nowhere = decide(facts(labels=replace(SHORT, sufficient_from=None)), model())
    assert nowhere.action is Action.WAIT
    assert nowhere.reason.endswith("no day with enough in sight")


@pytest.mark.parametrize("short", [{"rows_mature": 999}, {"positives": 29}])
def test_either_count_short_is_short(short: dict[str, int]) -> None:
    assert decide(facts(labels=replace(ENOUGH, **short)), model()).action is Action.WAIT


def test_labels_that_cannot_be_counted_wait() -> None:
    assert decide(facts(labels=None), model()).action is Action.WAIT
    assert decide(facts(labels=lambda: None), model()).action is Action.WAIT


def test_labels_are_counted_only_when_everything_else_says_retrain() -> None:
    def never() -> LabelSufficiency:
        raise AssertionError("counted in vain")

    assert held(decide(facts(in_flight=True, labels=never), model()))
    assert decide(facts(labels=lambda: ENOUGH), model()) == decide(facts(), model())


@pytest.mark.parametrize(
    "held_by",
    [{}, {"in_flight": True}, {"labels": SHORT}, {"last_retrained": DAY}, {"live_fingerprint": "g"}],
)
def test_the_same_situation_is_told_in_the_same_words_at_every_tick(held_by: dict[str, Any]) -> None:
    said = {decide(facts(now=NOON + timedelta(minutes=m), **held_by), model()) for m in (0, 1, 240)}
    assert len(said) == 1


def test_objections_are_raised_in_the_order_of_the_design() -> None:
    """Everything wrong at once; each repair brings up the next objection."""
    wrong: dict[str, Any] = {
        "live": None,
        "now": NOON + 5 * ONE,
        "judged": {},
        "live_fingerprint": "g",
        "in_flight": True,
        "last_retrained": DAY,
        "labels": SHORT,
    }
    others = {j.day: j for j in (verdict(1, Outcome.PASS),)}
    repairs: list[tuple[str, dict[str, Any]]] = [
        ("no live day", {"live": Slot(DAY, 1, None, "g")}),
        ("nothing is live", {"now": NOON}),
        ("not judged yet", {"judged": others | {DAY: verdict(outcome=Outcome.PASS, champion="2")}}),
        ("was judged against version 2", {"judged": others | {DAY: verdict(outcome=Outcome.PASS)}}),
        ("is stale", {"live_fingerprint": "f"}),
        ("no drift", {"judged": others | {DAY: verdict()}}),
        ("only 1 of the last 2", {"judged": {DAY: verdict(), DAY - ONE: verdict(1)}}),
        ("already in flight", {"in_flight": False}),
        ("cooldown", {"last_retrained": None}),
        ("800 mature rows", {"labels": ENOUGH}),
    ]
    for said, repair in repairs:
        assert said in decide(facts(**wrong), model(k=2, n=2)).reason
        wrong |= repair
    assert decide(facts(**wrong), model(k=2, n=2)).action is Action.RETRAIN


outcomes = st.sampled_from(Outcome)
champions = st.sampled_from([None, "2", "3"])
days_judged = st.lists(
    st.builds(verdict, st.integers(0, 6), outcomes, champions, st.sampled_from("fg")),
    max_size=8,
    unique_by=lambda j: j.day,
)
any_facts = st.builds(
    lambda judged, **over: facts(**({"judged": {j.day: j for j in judged}} | over)),
    days_judged,
    now=st.integers(0, 200).map(lambda h: datetime(2024, 4, 28, tzinfo=UTC) + timedelta(hours=h)),
    live=st.sampled_from([None, *(Slot(DAY - n * ONE, 2, None, "f") for n in range(4))]),
    live_fingerprint=st.sampled_from("fg"),
    champion=champions,
    in_flight=st.booleans(),
    last_retrained=st.none() | st.integers(-1, 6).map(lambda n: DAY - n * ONE),
    labels=st.sampled_from([None, ENOUGH, SHORT]),
)
models = st.builds(
    lambda k, more, cooldown, age: model(k, k + more, cooldown, age),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(0, 3),
    st.integers(1, 4),
)
properties = settings(max_examples=150, deadline=None)


@properties
@given(any_facts, models)
def test_a_retraining_rests_on_drift_of_a_live_fresh_verdict_against_the_champion(
    found: Facts, spec: ModelSpec
) -> None:
    trigger = decide(found, spec)
    if trigger.action is Action.HOLD:
        return
    assert found.live is not None
    assert trigger.day == found.live.day
    judged = found.judged[found.live.day]
    assert (judged.outcome, judged.champion, judged.fingerprint) == (
        Outcome.DRIFT,
        found.champion,
        found.live_fingerprint,
    )
    assert trigger.evaluation == judged.evaluation
    age = found.now - found.live.end - timedelta(hours=6)
    assert age <= timedelta(days=spec.calendar.max_age_days)
    assert not found.in_flight
    if trigger.action is Action.RETRAIN:
        assert isinstance(found.labels, LabelSufficiency)
        assert found.labels.sufficient


@properties
@given(any_facts, models)
def test_a_data_fault_on_the_live_day_never_retrains(found: Facts, spec: ModelSpec) -> None:
    if found.live is None:
        return
    broken = replace(
        found,
        judged={
            **found.judged,
            found.live.day: replace(verdict(outcome=Outcome.DATA_FAULT), day=found.live.day),
        },
    )
    assert decide(broken, spec).action is Action.HOLD


@properties
@given(any_facts, models)
def test_the_decision_is_a_function_of_the_facts_alone(found: Facts, spec: ModelSpec) -> None:
    copied = replace(found, judged=dict(reversed(list(found.judged.items()))))
    assert decide(found, spec) == decide(copied, spec)


@properties
@given(any_facts, models)
def test_every_decision_is_one_line_that_says_why(found: Facts, spec: ModelSpec) -> None:
    reason = decide(found, spec).reason
    assert len(reason) > 20
    assert "\n" not in reason


@properties
@given(any_facts, models)
def test_more_labels_only_ever_turn_waiting_into_retraining(found: Facts, spec: ModelSpec) -> None:
    before, after = decide(replace(found, labels=SHORT), spec), decide(replace(found, labels=ENOUGH), spec)
    assert (before.action, after.action) in {(Action.HOLD, Action.HOLD), (Action.WAIT, Action.RETRAIN)}


def learning(drift_days: int) -> ModelSpec:
    spec = model(cooldown_days=0)
    return spec.model_copy(
        update={"training": spec.training.model_copy(update={"drift_days": drift_days, "holdout_days": 3})}
    )


def test_a_drift_too_new_for_its_labels_to_be_learned_from_waits_and_says_until_when() -> None:
    trigger = decide(facts(verdict(), verdict(1), verdict(2, Outcome.PASS)), learning(drift_days=4))
    assert (trigger.action, trigger.until) == (Action.WAIT, DAY - ONE + timedelta(days=3 + 3 + 7))
    assert "drift since 2024-04-30" in trigger.reason


def test_a_drift_retrains_from_the_day_on_that_its_labelled_days_are_in_the_training_window() -> None:
    streak = [verdict(back) for back in range(14)]
    assert decide(facts(*streak), learning(drift_days=4)).action is Action.RETRAIN
    assert decide(facts(*streak[:13]), learning(drift_days=4)).action is Action.WAIT


def test_an_inconclusive_day_or_another_champions_day_does_not_end_the_drift() -> None:
    days = [verdict(back) for back in range(14)]
    days[5] = verdict(5, Outcome.INCONCLUSIVE)
    days[6] = verdict(6, Outcome.PASS, champion="2")
    assert decide(facts(*days), learning(drift_days=4)).action is Action.RETRAIN
