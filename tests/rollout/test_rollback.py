"""The end of a bad rollout: route first, aliases second."""

from __future__ import annotations

from typing import Any

import pytest

from ct_assets.rollout import Phase, RolloutError, Superseded, begin, rollback, run_stage


def test_rollback_moves_the_route_before_the_alias(world: Any) -> None:
    ctx = world.context("run-1")
    begin(ctx, "7", "6")
    run_stage("shadow", ctx)
    world.done.clear()
    ending = rollback(ctx, "a person said so")
    assert world.done == [
        "route rolling_back",
        "clear challenger",
        "tag 7",
        "say rolled_back",
        "route rolled_back",
    ]
    assert world.registry.aliases == {"champion": "6"}
    assert world.registry.tags["7"] == {"ct.rollout": "rolled_back", "ct.rollout_reason": "a person said so"}
    assert (ending.phase, ending.champion, ending.version) == (Phase.ROLLED_BACK, "6", "7")


def test_a_verdict_is_a_better_reason_than_the_caller_s(world: Any) -> None:
    world.weather.challenger_rate = 0.3
    ctx = world.context("run-1")
    begin(ctx, "7", "6")
    verdict = run_stage("shadow", ctx)
    assert rollback(ctx, "stage failed").reason == verdict.reason


def test_rolling_back_twice_is_rolling_back_once(world: Any) -> None:
    ctx = world.context("run-1")
    begin(ctx, "7", "6")
    first = rollback(ctx, "once")
    rows = len(world.rows)
    assert rollback(ctx, "twice") == first
    assert len(world.rows) == rows


def test_a_dead_router_does_not_keep_the_alias_for_ever(world: Any) -> None:
    ctx = world.context("run-1")
    begin(ctx, "7", "6")
    run_stage("shadow", ctx)
    run_stage("canary_10", ctx)
    world.weather.taking = False
    begun = world.clock
    assert rollback(ctx, "by hand").phase is Phase.ROLLED_BACK
    assert 10 <= world.clock - begun <= 12


def test_a_champion_that_a_person_named_stays_champion(world: Any) -> None:
    """Only a promotion of this rollout is undone; an alias set by hand is not this rollout's."""
    ctx = world.context("run-1")
    begin(ctx, "7", "6")
    world.registry.aliases["champion"] = "7"
    rollback(ctx, "alias champion moved")
    assert world.registry.aliases == {"champion": "7"}


def test_an_owner_replaced_while_it_waits_for_the_router_moves_no_alias(world: Any) -> None:
    ctx = world.context("run-1")
    begin(ctx, "7", "6")
    run_stage("shadow", ctx)
    world.weather.taking = False

    def stolen() -> None:
        world.at_sleep = lambda: None
        world.weather.taking = True
        begin(world.context("run-2"), "7", "6", force=True)

    world.at_sleep = stolen
    with pytest.raises(Superseded):
        rollback(ctx, "by hand")
    assert world.registry.aliases["challenger"] == "7"


def test_without_a_rollout_there_is_nothing_to_roll_back(world: Any) -> None:
    world.router.write(begin(world.context("run-1"), "7", "6").__class__(owner="run-1"), 2)
    with pytest.raises(RolloutError, match="is idle: nothing to roll back"):
        rollback(world.context("run-1"), "why not")
