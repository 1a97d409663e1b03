"""Opening a rollout and taking one over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ct_assets.rollout import NotOwner, Phase, RolloutContext, RolloutError, begin


def test_a_rollout_opens_once_however_often_its_run_begins(world: Any) -> None:
    first = begin(world.context("run-1"), "7", "6")
    assert (first.rollout, first.phase, first.attempts) == ("1-v7", Phase.STAGE, 1)
    assert begin(world.context("run-1"), "7", "6") == first
    assert world.actions == ["start"]


def test_a_second_run_waits_for_the_death_of_the_first(world: Any) -> None:
    begin(world.context("run-1"), "7", "6")
    world.clock += 29
    with pytest.raises(NotOwner, match="run-1 beat 29 s ago"):
        begin(world.context("run-2"), "7", "6")
    world.clock += 1
    taken = begin(world.context("run-2"), "7", "6")
    assert (taken.owner, taken.attempts, taken.rollout) == ("run-2", 2, "1-v7")


def test_a_person_may_take_over_from_a_living_run(world: Any) -> None:
    begin(world.context("run-1"), "7", "6")
    assert begin(world.context("by-hand"), "7", "6", force=True).owner == "by-hand"


def test_another_version_waits_for_the_open_rollout(world: Any) -> None:
    begin(world.context("run-1"), "7", "6")
    world.clock += 100
    with pytest.raises(RolloutError, match="1-v7 is open"):
        begin(world.context("run-2"), "8", "6")


def test_the_champion_is_no_challenger_of_itself(world: Any) -> None:
    with pytest.raises(RolloutError, match="v6 is champion already"):
        begin(world.context("run-1"), "6", "6")


def test_a_version_that_was_rolled_back_may_try_again(world: Any) -> None:
    world.run(force_rollback="a person said so")
    world.registry.aliases["challenger"] = "7"
    again = begin(world.context("run-2"), "7", "6")
    assert (again.rollout, again.history, again.reason) == ("2-v7", (), "")


def test_the_first_champion_has_no_steps(make_world: Callable[..., Any]) -> None:
    world = make_world(champion=None)
    assert begin(world.context("run-1"), "7", None).plan == ()


def test_a_context_without_endpoints_is_refused(world: Any) -> None:
    with pytest.raises(ValueError, match="challenger_urls is empty"):
        world.context("run", challenger_urls=())
    with pytest.raises(ValueError, match="a living owner would be replaced"):
        world.context("run", beat_s=30.0)
    assert isinstance(world.context("run"), RolloutContext)
