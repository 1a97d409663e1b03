"""The end of a good rollout: alias, readiness, route, alias, in this order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ct_assets.rollout import (
    Phase,
    RolloutError,
    ServingBehind,
    Superseded,
    begin,
    promote,
    rollback,
    run_stage,
    stages,
)


def ready_to_promote(world: Any) -> Any:
    ctx = world.context("run-1")
    begin(ctx, "7", "6")
    for stage in stages(world.spec):
        assert run_stage(stage.name, ctx).ok
    return ctx


def test_promotion_moves_aliases_and_traffic_in_order(world: Any) -> None:
    ctx = ready_to_promote(world)
    world.done.clear()
    ending = promote(ctx)
    assert world.done == [
        "route promoting",
        "alias previous_champion=6",
        "alias champion=7",
        "route promoting",
        "clear challenger",
        "tag 7",
        "say promote",
        "route promoted",
    ]
    assert world.registry.aliases == {"champion": "7", "previous_champion": "6"}
    assert world.registry.tags["7"] == {"ct.rollout": "promoted"}
    assert (world.state.weight, world.state.phase) == (0, Phase.PROMOTED)
    assert (ending.champion, ending.phase) == ("7", Phase.PROMOTED)
    assert ending.reason == "v7 is champion after shadow, canary_10, canary_50, canary_100; before: v6"


def test_the_challenger_keeps_all_traffic_until_every_champion_endpoint_follows(world: Any) -> None:
    ctx = ready_to_promote(world)
    world.weather.champion_follows = False
    with pytest.raises(ServingBehind, match=r"do not serve v7 after 120 s \(champion-a 0, champion-b 0\)"):
        promote(ctx)
    assert (world.state.weight, world.state.phase) == (100, Phase.PROMOTING)
    assert world.clock - world.state.beat <= 11, "a wait is no death"
    world.weather.champion_follows = True
    assert promote(ctx).phase is Phase.PROMOTED


def test_the_challenger_keeps_its_alias_until_the_router_has_left_it(world: Any) -> None:
    ctx = ready_to_promote(world)
    world.weather.taking = False
    with pytest.raises(ServingBehind, match="router did not take"):
        promote(ctx)
    assert world.registry.aliases["challenger"] == "7"


def test_a_promotion_that_serving_never_follows_can_be_undone(world: Any) -> None:
    ctx = ready_to_promote(world)
    world.weather.champion_follows = False
    with pytest.raises(ServingBehind):
        promote(ctx)
    ending = rollback(ctx, "3 runs could not finish it")
    assert (ending.phase, ending.champion) == (Phase.ROLLED_BACK, "6")
    assert world.registry.aliases == {"champion": "6", "previous_champion": "6"}


def test_an_alias_that_moved_in_the_last_second_rolls_back_instead(world: Any) -> None:
    ctx = ready_to_promote(world)
    world.registry.aliases["champion"] = "5"
    ending = promote(ctx)
    assert ending.phase is Phase.ROLLED_BACK
    assert world.registry.aliases == {"champion": "5"}
    assert ending.reason == "alias champion moved from v6 to v5 during the rollout"


def test_an_owner_replaced_in_the_last_moment_does_not_move_the_alias(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = ready_to_promote(world)
    move = world.registry.set_alias

    def stolen(alias: str, version: str) -> None:
        move(alias, version)
        begin(world.context("by-hand"), "7", "6", force=True)

    monkeypatch.setattr(world.registry, "set_alias", stolen)
    with pytest.raises(Superseded):
        promote(ctx)
    assert world.registry.aliases["champion"] == "6"


def test_a_newer_challenger_keeps_its_alias_when_the_older_is_promoted(world: Any) -> None:
    ctx = ready_to_promote(world)
    world.weather.champion_follows = False

    def newer() -> None:
        world.registry.aliases["challenger"] = "8"
        world.weather.champion_follows = True

    world.at_sleep = newer
    assert promote(ctx).champion == "7"
    assert world.registry.aliases["challenger"] == "8"


def test_what_is_promoted_stays_promoted(world: Any) -> None:
    ctx = ready_to_promote(world)
    promote(ctx)
    rows = len(world.rows)
    assert promote(ctx).phase is Phase.PROMOTED
    assert len(world.rows) == rows, "said twice, it is one row of the ledger"
    with pytest.raises(RolloutError, match="nothing to roll back"):
        rollback(ctx, "too late")


def test_the_first_champion_is_promoted_without_a_step(make_world: Callable[..., Any]) -> None:
    world = make_world(champion=None)
    assert world.run() is Phase.PROMOTED
    assert world.registry.aliases == {"champion": "7"}
    assert world.router.raw["challenger"] == [0, 0]
    assert (
        list(world.rows.values())[-1].reason
        == "v7 is champion as the first champion, without steps; before: none"
    )


def test_a_first_champion_that_never_serves_leaves_no_alias_behind(make_world: Callable[..., Any]) -> None:
    world = make_world(champion=None)
    world.weather.champion_follows = False
    with pytest.raises(ServingBehind):
        world.run()
    world.run("run-2", force_rollback="3 runs could not finish it")
    assert world.registry.aliases == {}
