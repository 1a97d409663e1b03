"""The sensor's decision."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ct_assets.rollout import Phase, RouteState, RunFacts, SupervisionAction, stages, subject, supervise
from ct_assets.rollout.supervise import MAX_ATTEMPTS
from ct_assets.rollout.transitions import opened, promoted, rolled_back, undoing
from ct_assets.spec import RolloutSpec

T = 1_000_000.0
IDLE = RouteState()
OPEN = opened(IDLE, stages(RolloutSpec()), "7", "6", "run-1", T)
START, TAKE_OVER = SupervisionAction.START, SupervisionAction.TAKE_OVER
ROLLBACK, NOTHING = SupervisionAction.ROLLBACK, SupervisionAction.NOTHING


def test_a_challenger_without_a_rollout_starts_one() -> None:
    decision = supervise(IDLE, "7", "6", T, RunFacts())
    assert (decision.action, decision.run_key, decision.rollout) == (START, "1-v7:1", "1-v7")
    assert decision.reason == "challenger v7 starts against champion v6"
    assert supervise(IDLE, "7", "6", T + 30, RunFacts()) == decision, "the same tick, the same key"


def test_the_first_champion_starts_without_steps() -> None:
    decision = supervise(IDLE, "7", None, T, RunFacts())
    assert (decision.action, decision.reason) == (
        START,
        "challenger v7 starts as the first champion, without steps",
    )


@pytest.mark.parametrize(
    ("route", "challenger", "champion", "runs"),
    [
        (IDLE, None, "6", RunFacts()),
        (IDLE, "6", "6", RunFacts()),
        (promoted(OPEN, T), None, "7", RunFacts()),
        (promoted(OPEN, T), "7", "7", RunFacts()),
        (rolled_back(undoing(OPEN, "bad", T), T), None, "6", RunFacts()),
        (IDLE, "7", "6", RunFacts(started=1, alive=True, newest_at=T)),
        (OPEN, "7", "6", RunFacts(started=1, alive=True, newest_at=T)),
        (OPEN, "8", "6", RunFacts(started=1, alive=True, newest_at=T)),  # the run sees the newer alias itself
    ],
)
def test_there_is_nothing_to_do(
    route: RouteState, challenger: str | None, champion: str, runs: RunFacts
) -> None:
    decision = supervise(route, challenger, champion, T + 60, runs)
    assert (decision.action, decision.run_key) == (NOTHING, None)
    assert decision.reason


def test_an_owner_is_replaced_once_its_beat_is_thirty_seconds_old() -> None:
    dead = RunFacts(started=1, newest_at=T)
    assert supervise(OPEN, "7", "6", T + 29, dead).action is NOTHING
    decision = supervise(OPEN, "7", "6", T + 30, dead)
    assert (decision.action, decision.run_key) == (TAKE_OVER, "1-v7:2")


def test_a_run_that_was_killed_unnoticed_is_replaced_whatever_the_orchestrator_says() -> None:
    zombie = RunFacts(started=1, alive=True, newest_at=T)
    assert supervise(OPEN, "7", "6", T + 119, zombie).action is NOTHING, "it may still be starting"
    assert supervise(OPEN, "7", "6", T + 120, zombie).action is TAKE_OVER
    assert supervise(IDLE, "7", "6", T + 120, zombie).run_key == "1-v7:2"
    beating = replace(OPEN, beat=T + 600)
    assert supervise(beating, "7", "6", T + 629, zombie).action is NOTHING
    assert supervise(beating, "7", "6", T + 630, zombie).action is TAKE_OVER, "at once: it started long ago"


def test_a_run_in_the_queue_is_waited_for_however_long() -> None:
    queued = RunFacts(started=1, queued=True, alive=True, newest_at=T)
    for route in (IDLE, OPEN):
        assert supervise(route, "7", "6", T + 10_000, queued).action is NOTHING


def test_a_cancelled_run_is_a_person_s_stop_and_a_later_crash_does_not_unsay_it() -> None:
    for runs in (RunFacts(started=1, cancelled=True), RunFacts(started=2, cancelled=True)):
        for route in (OPEN, IDLE):
            decision = supervise(route, "7", "6", T + 1, runs)
            assert (decision.action, decision.run_key) == (ROLLBACK, f"1-v7:rollback:{runs.started + 1}")


def test_three_attempts_then_rollback_three_more_then_a_person() -> None:
    for route in (OPEN, IDLE):
        actions = [
            supervise(route, "7", "6", T + 40, RunFacts(started=n)).action
            for n in range(2 * MAX_ATTEMPTS + 1)
        ]
        first = TAKE_OVER if route is OPEN else START
        assert actions == [first] * 3 + [ROLLBACK] * 3 + [NOTHING]
    assert "left to a person" in supervise(OPEN, "7", "6", T + 40, RunFacts(started=6)).reason
    assert supervise(replace(OPEN, attempts=3), "7", "6", T + 40, RunFacts(started=1)).action is ROLLBACK


@pytest.mark.parametrize(("challenger", "champion"), [("8", "6"), (None, "6"), ("7", "5"), ("7", None)])
def test_an_alias_that_moved_while_nobody_steered_rolls_back(
    challenger: str | None, champion: str | None
) -> None:
    decision = supervise(OPEN, challenger, champion, T + 40, RunFacts(started=1))
    assert decision.action is ROLLBACK
    assert "during the rollout" in decision.reason


def test_a_promotion_or_a_rollback_that_died_is_finished_whatever_the_aliases_say() -> None:
    for phase in (Phase.PROMOTING, Phase.ROLLING_BACK):
        left = replace(OPEN, phase=phase)
        assert supervise(left, None, "7", T + 40, RunFacts(started=1)).action is TAKE_OVER


def test_the_subject_of_a_tick_is_the_open_rollout_or_the_next_one() -> None:
    assert subject(IDLE, None) is None
    assert subject(IDLE, "7") == "1-v7"
    assert subject(OPEN, "8") == "1-v7"
    assert subject(rolled_back(OPEN, T), "7") == "2-v7"


@given(
    st.sampled_from([IDLE, OPEN, undoing(OPEN, "bad", T), rolled_back(OPEN, T), promoted(OPEN, T)]),
    st.sampled_from([None, "6", "7", "8"]),
    st.sampled_from([None, "6", "7"]),
    st.floats(0, 1000),
    st.builds(
        RunFacts,
        started=st.integers(0, 8),
        queued=st.booleans(),
        alive=st.booleans(),
        cancelled=st.booleans(),
        newest_at=st.just(T),
    ),
)
def test_a_run_key_comes_with_every_run_and_only_then(
    route: RouteState, challenger: str | None, champion: str | None, after_s: float, runs: RunFacts
) -> None:
    decision = supervise(route, challenger, champion, T + after_s, runs)
    assert (decision.run_key is None) == (decision.action is NOTHING)
    assert decision.reason
    if decision.run_key is not None:
        assert decision.rollout == subject(route, challenger)
        assert decision.run_key.endswith(f":{runs.started + 1}")
