"""One look, one decision."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ct_assets.rollout.plan import Action, Cause, Observation, may_enter, observe, stages
from ct_assets.rollout.state import Count, Counters, Phase, RouteState, Seen
from ct_assets.rollout.transitions import counted, entered, failed, opened, passed, promoting, with_champion
from ct_assets.spec import RolloutSpec, ShadowSpec

SPEC = RolloutSpec(bake_s=600, min_requests=100, deadline_s=3600, shadow=ShadowSpec(requests=500))
GOOD = Observation(metrics=True, taken=True, serving="7")
T = 1_000_000.0
NONE = Count()


def at(stage: str, *, n: int = 0, k: int = 0, champion: Count = NONE, taken: float | None = T) -> RouteState:
    """A rollout of v7 against v6 that entered `stage` at T and has seen so much there."""
    state = opened(RouteState(), stages(SPEC), "7", "6", "run", T)
    for name in ("shadow", "canary_10", "canary_50", "canary_100"):
        state = entered(state, T)
        if name == stage:
            variant = "shadow" if name == "shadow" else "challenger"
            return replace(state, taken=taken, seen=Seen(**{"champion": champion, variant: Count(n, k)}))
        decision = observe(
            replace(state, taken=T - 1e6, seen=Seen(shadow=Count(500), challenger=Count(500))), GOOD, SPEC, T
        )
        state = passed(state, decision, 0.01, T)
    raise AssertionError(stage)


def test_stages_are_shadow_and_one_per_weight() -> None:
    assert [(s.name, s.weight, s.mirror_percent) for s in stages(SPEC)] == [
        ("shadow", 0, 100),
        ("canary_10", 10, 0),
        ("canary_50", 50, 0),
        ("canary_100", 100, 0),
    ]
    assert [s.name for s in stages(RolloutSpec(shadow=ShadowSpec(requests=0), steps=(100,)))] == [
        "canary_100"
    ]


def test_enough_time_enough_requests_and_few_failures_advance() -> None:
    decision = observe(at("canary_10", n=1000, k=10), GOOD, SPEC, T + 600)
    assert (decision.action, decision.cause) == (Action.ADVANCE, Cause.PASSED)
    assert decision.reason == "canary_10: 10 of 1000 requests failed (1.00%, limit 1.00%) in 600 s"
    assert decision.evidence["rate"] == 0.01


@pytest.mark.parametrize(
    ("state", "observation", "now", "cause"),
    [
        (at("canary_10", n=1000), GOOD, T + 599, Cause.BAKING),
        (at("canary_10", n=99), GOOD, T + 601, Cause.FEW_REQUESTS),
        (at("canary_10", n=100, k=2), GOOD, T + 601, Cause.MAYBE_OVER_LIMIT),
        (
            at("canary_10", n=1000),
            Observation(metrics=False, taken=True, serving="7"),
            T + 601,
            Cause.NO_METRICS,
        ),
        (
            at("canary_10", n=1000),
            Observation(metrics=True, taken=False, serving="7"),
            T + 601,
            Cause.NOT_TAKEN,
        ),
        (at("canary_10", n=1000, taken=None), GOOD, T + 601, Cause.NOT_TAKEN),
        (at("canary_10", n=1000, taken=T + 300), GOOD, T + 601, Cause.BAKING),
        (
            at("canary_10", n=1000),
            Observation(metrics=True, taken=True, serving=None),
            T + 601,
            Cause.NOT_READY,
        ),
        (
            at("canary_10", n=1000),
            Observation(metrics=True, taken=True, serving="7", moved=None),
            T + 601,
            Cause.NO_REGISTRY,
        ),
        (at("shadow", n=499), GOOD, T + 601, Cause.FEW_REQUESTS),
    ],
)
def test_whatever_is_missing_holds_the_weight_and_at_the_deadline_rolls_back(
    state: RouteState, observation: Observation, now: float, cause: Cause
) -> None:
    held = observe(state, observation, SPEC, now)
    assert (held.action, held.cause) == (Action.STAY, cause)
    late = replace(state, since=now - 3600)
    ended = observe(late, observation, SPEC, now)
    assert (ended.action, ended.cause) == (Action.ROLLBACK, Cause.DEADLINE)
    assert ended.evidence["held_by"] == cause.value


def test_a_shadow_is_as_long_as_its_requests_and_needs_no_bake_time() -> None:
    assert observe(at("shadow", n=500), GOOD, SPEC, T + 5).action is Action.ADVANCE


def test_the_shadow_is_judged_by_the_copies_and_not_by_live_answers() -> None:
    bad_copies = observe(at("shadow", n=60, k=12, champion=Count(1000)), GOOD, SPEC, T + 5)
    assert (bad_copies.action, bad_copies.cause) == (Action.ROLLBACK, Cause.OVER_LIMIT)


def test_a_proven_excess_rolls_back_in_the_first_seconds_whatever_else_is_unknown() -> None:
    blind = Observation(metrics=False, taken=False, serving=None, moved=None)
    decision = observe(at("canary_10", n=40, k=8), blind, SPEC, T + 3)
    assert (decision.action, decision.cause) == (Action.ROLLBACK, Cause.OVER_LIMIT)
    assert "8 of 40 requests failed (20.00%, limit 1.00%)" in decision.reason


def test_five_percent_behind_ten_percent_of_the_traffic_is_seen_because_nothing_is_pooled() -> None:
    """Pooled: 50 of 10,000 = 0.5 %, which passes a limit of 1 %."""
    decision = observe(at("canary_10", n=1000, k=50, champion=Count(9000)), GOOD, SPEC, T + 600)
    assert decision.cause is Cause.OVER_LIMIT


def test_an_outage_of_both_variants_waits_instead_of_blaming_the_challenger() -> None:
    both = at("canary_50", n=200, k=100, champion=Count(200, 100))
    held = observe(both, GOOD, SPEC, T + 60)
    assert (held.action, held.cause) == (Action.STAY, Cause.COMMON_MODE)
    assert observe(both, GOOD, SPEC, T + 3600).cause is Cause.DEADLINE


def test_a_challenger_much_worse_than_a_bad_champion_is_rolled_back_all_the_same() -> None:
    decision = observe(at("canary_50", n=200, k=150, champion=Count(200, 20)), GOOD, SPEC, T + 60)
    assert decision.cause is Cause.OVER_LIMIT


def test_a_foreign_version_or_a_moved_alias_ends_the_rollout() -> None:
    state = at("canary_10", n=1000)
    other = observe(state, Observation(metrics=True, taken=True, serving="8"), SPEC, T + 10)
    moved = observe(
        state,
        Observation(metrics=True, taken=True, serving="7", moved="alias challenger moved"),
        SPEC,
        T + 10,
    )
    assert (other.action, other.cause) == (Action.ROLLBACK, Cause.OTHER_VERSION)
    assert (moved.action, moved.reason) == (Action.ROLLBACK, "alias challenger moved")


def test_no_stage_begins_before_the_challenger_serves_its_version() -> None:
    state = opened(RouteState(), stages(SPEC), "7", "6", "run", T)
    loading = Observation(metrics=True, taken=True, serving="5")
    assert may_enter(state, loading, SPEC, T + 1).cause is Cause.NOT_READY
    assert may_enter(state, loading, SPEC, T + 3600).action is Action.ROLLBACK
    assert may_enter(state, GOOD, SPEC, T + 1).action is Action.ENTER


def test_deciding_without_a_stage_is_an_error() -> None:
    with pytest.raises(ValueError, match="phase idle"):
        observe(RouteState(), GOOD, SPEC, T)
    with pytest.raises(ValueError, match="no stage is entered"):
        observe(opened(RouteState(), stages(SPEC), "7", "6", "run", T), GOOD, SPEC, T)


def test_promotion_before_the_last_stage_is_an_error() -> None:
    with pytest.raises(ValueError, match="only shadow passed"):
        promoting(at("canary_10"), T)


readings = st.lists(
    st.tuples(st.sampled_from(["traffic", "restart", "read"]), st.integers(0, 200), st.integers(0, 5)),
    max_size=30,
)


@settings(max_examples=60)
@given(readings)
def test_evidence_survives_restarts_of_the_router(events: list[tuple[str, int, int]]) -> None:
    """Whatever was read once stays counted; only what no reading saw before a restart is lost."""
    state = counted(at("canary_10"), Counters("0"))
    epoch, raw, sure, unread = 0, Count(), Count(), Count()
    for kind, n, k in events:
        if kind == "traffic":
            more = Count(n, min(n, k))
            raw, unread = raw + more, unread + more
        elif kind == "restart":
            epoch, raw, unread = epoch + 1, Count(), Count()
        else:
            assert state is not None
            state = counted(state, Counters(str(epoch), challenger=raw))
            sure, unread = sure + unread, Count()
    assert state is not None
    assert state.seen.challenger == sure


def test_a_reading_across_a_restart_is_not_believed() -> None:
    state = counted(at("canary_10"), Counters("a", challenger=Count(100, 1)))
    assert state is not None
    assert counted(state, Counters("a", challenger=Count(3, 0))) is None


def test_a_failure_counted_before_its_request_completes_is_no_impossible_number() -> None:
    assert at("canary_10", n=0, k=1).judged == Count(1, 1)
    assert at("canary_10", n=5, k=-1).judged == Count(5, 0)


looks: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "metrics": st.booleans(),
        "taken": st.booleans(),
        "serving": st.sampled_from(["7", "7", "7", None, "8"]),
        "moved": st.sampled_from(["", "", "", None, "moved"]),
    }
)
steps = st.lists(
    st.tuples(looks, st.floats(0, 900), st.integers(0, 400), st.integers(0, 3)), min_size=1, max_size=60
)


@settings(max_examples=100)
@given(steps)
def test_any_sequence_of_looks_keeps_the_weights_legal_and_ends(
    events: list[tuple[dict[str, Any], float, int, int]],
) -> None:
    state, now = opened(RouteState(), stages(SPEC), "7", "6", "run", T), T
    weights = [0]
    for look, seconds, n, k in [
        *events,
        *[({"metrics": False, "taken": True, "serving": "7"}, 900.0, 0, 0)] * 25,
    ]:
        if state.phase is not Phase.STAGE or state.all_passed:
            break
        now += seconds
        observation = Observation(**look)
        if not state.entered:
            decision = may_enter(state, observation, SPEC, now)
        else:
            more = Count(n, min(n, k))
            seen = state.seen
            state = replace(
                state,
                taken=state.taken or (now if observation.taken else None),
                seen=replace(seen, shadow=seen.shadow + more, challenger=seen.challenger + more),
            )
            decision = observe(state, observation, SPEC, now)
        assert decision.reason
        if decision.action is Action.ENTER:
            state = entered(state, now)
            weights.append(state.weight)
        elif decision.action is Action.ADVANCE:
            assert observation == GOOD
            assert (state.judged.rate or 0) <= SPEC.error_rate_limit
            state = passed(state, decision, 0.01, now)
        elif decision.action is Action.ROLLBACK:
            state = failed(state, decision, 0.01, now)
    assert weights == sorted(weights)
    if state.phase is Phase.STAGE:
        assert state.all_passed, "the deadline ends whatever never becomes conclusive"
        assert with_champion(promoting(state, now), now).weight == 0
    else:
        assert (state.phase, state.weight, state.mirror_percent) == (Phase.ROLLING_BACK, 0, 0)
        assert state.reason
