"""One stage of a rollout, with real compare-and-set and a clock moved by hand."""

from __future__ import annotations

from typing import Any

import pytest

from ct_assets.registry import RegistryError
from ct_assets.rollout import Phase, RolloutError, Superseded, begin, promote, rollback, run_stage
from ct_assets.spec import RolloutSpec


def started(world: Any, owner: str = "run-1") -> Any:
    ctx = world.context(owner)
    begin(ctx, "7", "6")
    return ctx


def test_a_good_challenger_passes_stage_by_stage(world: Any) -> None:
    ctx = started(world)
    shadow, ten = run_stage("shadow", ctx), run_stage("canary_10", ctx)
    assert shadow.ok
    assert shadow.record is not None
    assert shadow.record.seen.shadow.n >= 50
    assert shadow.record.seen.challenger.n == 0
    assert ten.ok
    assert ten.record is not None
    assert ten.record.ended - ten.record.started >= world.spec.bake_s
    assert world.state.passed == ("shadow", "canary_10")
    assert world.state.weight == 10
    assert world.actions == ["start", "enter", "advance", "enter", "advance"]


def test_a_bad_challenger_never_gets_live_traffic(world: Any) -> None:
    world.weather.challenger_rate = 0.05
    result = run_stage("shadow", started(world))
    assert not result.ok
    assert world.state.phase is Phase.ROLLING_BACK
    assert world.router.raw["challenger"] == [0, 0]


def test_traffic_is_back_at_the_champion_before_the_stage_returns(world: Any) -> None:
    ctx = started(world)
    run_stage("shadow", ctx)
    world.weather.challenger_rate = 0.2
    result = run_stage("canary_10", ctx)
    assert (result.ok, world.state.weight, world.state.phase) == (False, 0, Phase.ROLLING_BACK)
    assert world.registry.aliases["challenger"] == "7", "aliases are the rollback op's"
    assert "limit 1.00%" in result.reason


def test_a_passed_stage_is_passed_at_once_and_a_lost_rollout_stays_lost(world: Any) -> None:
    ctx = started(world)
    run_stage("shadow", ctx)
    before = world.clock
    assert run_stage("shadow", ctx).ok
    world.weather.challenger_rate = 0.5
    run_stage("canary_10", ctx)
    assert not run_stage("shadow", ctx).ok, "so that a rerun reaches the rollback op from its first stage"
    assert not run_stage("canary_100", ctx).ok
    assert world.clock - before < 5


def test_a_killed_owner_s_bake_time_and_evidence_go_on(world: Any, killed: type[BaseException]) -> None:
    ctx = started(world)
    run_stage("shadow", ctx)
    died_at = world.clock + 3

    def die() -> None:
        if world.clock >= died_at:
            raise killed

    world.at_sleep = die
    with pytest.raises(killed):
        run_stage("canary_10", ctx)
    world.at_sleep = lambda: None
    entered, seen = world.state.since, world.router.raw["challenger"][0]
    world.sleep(31)
    begin(world.context("run-2"), "7", "6")
    resumed = world.clock
    result = run_stage("canary_10", world.context("run-2"))
    assert result.ok
    assert world.clock <= resumed + 1, "baked for 34 of 5 s: nothing is left to wait for"
    assert result.record is not None
    assert result.record.started == entered
    assert result.record.seen.challenger.n >= seen + 31 * 10, "what nobody watched counts too"


def test_the_evidence_of_before_a_router_restart_stays(world: Any) -> None:
    ctx = started(world)
    run_stage("shadow", ctx)
    world.spec = ctx.spec.model_copy(update={"min_requests": 60, "bake_s": 1.0})
    ctx = world.context("run-1")
    restarts = iter([False, False, False, True])
    world.at_sleep = lambda: world.router.restart() if next(restarts, False) else None
    result = run_stage("canary_10", ctx)
    assert result.record is not None
    assert result.record.seen.challenger.n >= 60 > world.router.raw["challenger"][0]


def test_a_beat_saves_the_evidence_from_the_death_of_owner_and_router_together(
    world: Any, killed: type[BaseException]
) -> None:
    world.spec = RolloutSpec(bake_s=45, min_requests=1, deadline_s=100)
    ctx = started(world)
    run_stage("shadow", ctx)
    ends = world.clock + 25

    def die() -> None:
        if world.clock >= ends:
            raise killed

    world.at_sleep = die
    with pytest.raises(killed):
        run_stage("canary_10", ctx)
    world.at_sleep = lambda: None
    world.router.restart()
    world.weather.rps = 0
    world.sleep(31)
    begin(world.context("run-2"), "7", "6")
    result = run_stage("canary_10", world.context("run-2"))
    assert result.record is not None
    assert 190 <= result.record.seen.challenger.n <= 250, "25 s at 10 a second, of which the last beat saw 20"


def test_what_happens_between_two_stages_is_judged_in_the_later_one(world: Any) -> None:
    ctx = started(world)
    run_stage("shadow", ctx)
    assert run_stage("canary_10", ctx).ok
    world.weather.challenger_rate = 0.3
    world.sleep(20)
    world.weather.challenger_rate = 0.0
    assert not run_stage("canary_50", ctx).ok


@pytest.mark.parametrize(
    "lack", [{"metrics": False}, {"taking": False}, {"challenger_serves": False}, {"rps": 0}]
)
def test_no_data_holds_and_the_deadline_rolls_back(world: Any, lack: dict[str, Any]) -> None:
    ctx = started(world)
    run_stage("shadow", ctx)
    for name, value in lack.items():
        setattr(world.weather, name, value)
    begun = world.clock
    result = run_stage("canary_10", ctx)
    assert not result.ok
    assert result.reason.startswith("inconclusive for 60 s")
    assert 60 <= world.clock - begun <= 2 * 60 + 2


def test_a_hold_is_said_once_and_not_at_every_look(world: Any) -> None:
    ctx = started(world)
    world.weather.rps = 0
    run_stage("shadow", ctx)
    said = [entry.evidence["cause"] for entry in world.rows.values() if entry.action == "stay"]
    assert said == ["not_taken", "few_requests"] or said == ["few_requests"]


def test_an_owner_that_sleeps_too_long_stops_and_touches_nothing(world: Any) -> None:
    ctx = started(world)
    run_stage("shadow", ctx)

    def stolen() -> None:
        world.at_sleep = lambda: None
        world.clock += 40
        begin(world.context("run-2"), "7", "6")

    world.at_sleep = stolen
    with pytest.raises(Superseded, match="belongs to run-2, not to run-1"):
        run_stage("canary_10", ctx)
    assert (world.state.owner, world.state.attempts) == ("run-2", 2)
    for late in (lambda: promote(ctx), lambda: rollback(ctx, "late"), lambda: run_stage("canary_10", ctx)):
        with pytest.raises(Superseded):
            late()
    assert world.registry.aliases == {"champion": "6", "challenger": "7"}


def test_a_beat_goes_into_the_route_every_ten_seconds(world: Any) -> None:
    world.spec = RolloutSpec(bake_s=45, min_requests=1, deadline_s=100)
    ctx = started(world)
    run_stage("shadow", ctx)
    silences = []
    world.at_sleep = lambda: silences.append(world.clock - world.state.beat)
    run_stage("canary_10", ctx)
    assert max(silences) <= 10
    assert len(silences) >= 45


def test_a_newer_challenger_ends_the_rollout_of_the_older(world: Any) -> None:
    ctx = started(world)
    run_stage("shadow", ctx)
    world.registry.aliases["challenger"] = "8"
    result = run_stage("canary_10", ctx)
    assert "alias challenger moved from v7 to v8" in result.reason
    rollback(ctx, result.reason)
    assert world.registry.aliases == {"champion": "6", "challenger": "8"}, "the newer one keeps its alias"


def test_a_registry_that_is_away_for_a_while_costs_time_and_no_verdict(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = started(world)
    run_stage("shadow", ctx)
    back_at, answer = world.clock + 8, world.registry.by_alias

    def by_alias(alias: str) -> Any:
        if world.clock < back_at:
            raise RegistryError("away")
        return answer(alias)

    monkeypatch.setattr(world.registry, "by_alias", by_alias)
    assert run_stage("canary_10", ctx).ok
    assert world.clock >= back_at


def test_a_spec_that_changed_under_an_open_rollout_rolls_back(world: Any) -> None:
    ctx = started(world)
    run_stage("shadow", ctx)
    result = run_stage("canary_25", ctx)
    assert not result.ok
    assert "the spec changed during the rollout" in result.reason
    assert world.state.phase is Phase.ROLLING_BACK


def test_promotion_is_refused_while_a_stage_is_open_or_after_a_rollback(world: Any) -> None:
    ctx = started(world)
    run_stage("shadow", ctx)
    with pytest.raises(RolloutError, match="canary_10 is not passed"):
        promote(ctx)
    rollback(ctx, "by hand")
    with pytest.raises(RolloutError, match="was rolled back"):
        promote(ctx)
