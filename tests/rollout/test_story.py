"""Whole rollouts under crashes and bad weather: every one ends, and a kill changes nothing about how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct_assets.rollout import Phase, ServingBehind, SupervisionAction
from ct_assets.spec import RolloutSpec, ShadowSpec

NO_SHADOW = RolloutSpec(
    shadow=ShadowSpec(requests=0), steps=(10, 100), bake_s=2, min_requests=5, deadline_s=200
)
QUICK = RolloutSpec(shadow=ShadowSpec(requests=20), steps=(10, 100), bake_s=2, min_requests=5, deadline_s=200)


def ended(world: Any) -> dict[str, Any]:
    """What a rollout leaves behind, without times."""
    state = world.state
    return {
        "phase": state.phase,
        "weight": state.weight,
        "aliases": world.registry.aliases,
        "tag": world.registry.tags.get("7", {}).get("ct.rollout"),
        "passed": [r.stage for r in state.history if r.passed],
    }


def verdicts(world: Any) -> list[str]:
    return sorted(a for a in world.actions if a in ("advance", "rollback", "promote", "rolled_back"))


@pytest.mark.parametrize(
    ("spec", "rate", "follows", "phase"),
    [
        (QUICK, 0.0, True, Phase.PROMOTED),
        (QUICK, 0.3, True, Phase.ROLLED_BACK),
        (NO_SHADOW, 0.3, True, Phase.ROLLED_BACK),
        (NO_SHADOW, 0.0, False, Phase.ROLLED_BACK),
    ],
    ids=["promotion", "rollback in the shadow", "rollback of live traffic", "promotion never followed"],
)
def test_a_kill_at_any_side_effect_changes_neither_the_end_nor_the_ledger(
    make_world: Callable[..., Any], spec: RolloutSpec, rate: float, follows: bool, phase: Phase
) -> None:
    def roll(kills: list[float]) -> Any:
        world = make_world(spec=spec, kills=kills, follow_s=5)
        world.weather.challenger_rate, world.weather.champion_follows = rate, follows
        if follows:
            assert world.orchestrate() is SupervisionAction.NOTHING
        else:
            give_up_serving(world)
        return world

    whole = roll([])
    assert ended(whole)["phase"] is phase
    for number in range(1, whole.effects + 1):
        for kill in (number, number + 0.5):
            world = roll([kill])
            assert ended(world) == ended(whole), f"killed at {kill} of {whole.effects}"
            assert verdicts(world) == verdicts(whole), f"killed at {kill} of {whole.effects}"


def give_up_serving(world: Any) -> None:
    """Three runs wait for serving in vain, the fourth rolls back."""
    for _ in range(8):
        try:
            world.orchestrate()
        except ServingBehind:
            continue
        return
    raise AssertionError(world.state)


weathers = st.fixed_dictionaries(
    {
        "rps": st.sampled_from([100, 100, 20, 0]),
        "challenger_rate": st.sampled_from([0.0, 0.0, 0.0, 0.005, 0.2]),
        "champion_rate": st.sampled_from([0.0, 0.0, 0.2]),
        "metrics": st.sampled_from([True, True, True, False]),
        "taking": st.sampled_from([True, True, True, False]),
        "challenger_serves": st.sampled_from([True, True, False]),
    }
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(weathers, st.booleans()), max_size=12),
    st.lists(st.integers(1, 40).flatmap(lambda n: st.sampled_from([float(n), n + 0.5])), max_size=5),
    st.sampled_from(["6", "6", "6", None]),
    st.sampled_from([None, None, None, ("challenger", "8"), ("champion", "5")]),
)
def test_any_weather_and_any_crashes_end_with_one_champion_and_no_open_rollout(
    make_world: Callable[..., Any],
    weather_of: type[Any],
    events: list[tuple[dict[str, Any], bool]],
    kills: list[float],
    champion: str | None,
    moved: tuple[str, str] | None,
) -> None:
    world = make_world(champion=champion, spec=QUICK, kills=kills)
    queue = iter(events)

    def change() -> None:
        weather, restart = next(queue, ({}, False))
        world.weather = weather_of(**weather)
        if restart:
            world.router.restart()
        if moved is not None and world.effects > 6 and world.state.phase is Phase.STAGE:
            world.registry.aliases[moved[0]] = moved[1]

    world.at_sleep = change
    assert world.orchestrate() is SupervisionAction.NOTHING
    state, aliases = world.state, world.registry.aliases
    assert state.phase in (Phase.PROMOTED, Phase.ROLLED_BACK)
    assert state.weight == state.mirror_percent == 0
    assert "challenger" not in aliases
    if state.phase is Phase.PROMOTED:
        assert aliases["champion"] == state.challenger
        assert aliases.get("previous_champion") == state.champion
        assert set(state.passed) == {stage.name for stage in state.plan}
    else:
        assert aliases.get("champion") in (champion, "5")
        assert state.reason
