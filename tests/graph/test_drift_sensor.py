"""From red checks to one retraining: every tick over a real event log, a real registry and real labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from ct_assets.graph.drift_sensor import gather_facts
from ct_assets.lake.store import Lake, Object

DAY = timedelta(days=1)
D15, D16, D17, D18, D19 = (date(2024, 4, d) for d in range(15, 20))
SENSOR, CLOSER = "toy_drift_sensor", "toy_closer"


@pytest.fixture
def drifted(world: Any) -> Any:
    """A steady day, then the live day with amounts four times as high; both judged."""
    world.log(D15)
    world.log(D16, shift=4.0)
    world.at(D17)
    world.daemon(CLOSER)
    return world


def test_one_evaluation_asks_for_one_run_however_often_it_is_looked_at(drifted: Any) -> None:
    first, second = drifted.tick(SENSOR), drifted.tick(SENSOR)
    (request,), (again,) = first.run_requests, second.run_requests
    assert request.run_key == again.run_key, "the daemon starts no second run for a key"
    assert request.run_key.startswith("toy:1:2024-04-16:")
    assert request.partition_key == "2024-04-16"
    assert [entry.action for entry in drifted.ledger("trigger")] == ["retrain"], "one row, not one a tick"


def test_the_reason_stands_in_the_run_s_tags_and_in_the_ledger(drifted: Any) -> None:
    (request,) = drifted.tick(SENSOR).run_requests
    (entry,) = drifted.ledger("trigger")
    assert request.tags["ct/reason"] == entry.reason
    for part in ("drift on 2024-04-16 against version 1", "psi_amount", "mature rows"):
        assert part in entry.reason
    assert (entry.day, entry.version, entry.at) == ("2024-04-16", "1", drifted.now())
    assert entry.evidence["evaluation"] in request.tags["ct/evaluation"]


def test_two_daemons_ask_for_the_same_run_though_both_write_their_row(drifted: Any) -> None:
    (request,) = drifted.tick(SENSOR).run_requests
    drifted.cursors.clear()
    drifted.at(D17, 7.001)
    (other,) = drifted.tick(SENSOR).run_requests
    assert other.run_key == request.run_key
    first, second = drifted.ledger("trigger")
    assert (first.action, first.reason, first.day) == (second.action, second.reason, second.day)


def test_a_retraining_that_died_is_tried_again_up_to_the_cap_and_then_left_to_a_person(drifted: Any) -> None:
    runs = [drifted.daemon(SENSOR, fail=True) for _ in range(5)]
    assert [len(asked) for asked in runs] == [1, 1, 1, 0, 0]
    assert [run.tags["ct/attempt"] for (run,) in runs[:3]] == ["1", "2", "3"]
    said = drifted.tick(SENSOR).skip_message
    assert said == (
        "hold: the retraining as of 2024-04-16 died 3 times, and is left to a person: "
        "see the runs' errors, then ct retrain toy"
    )
    assert [entry.action for entry in drifted.ledger("trigger")] == ["retrain", "hold"], (
        "said where a person looks"
    )


def test_a_retraining_that_a_person_cancelled_is_not_started_again(drifted: Any) -> None:
    (request,) = drifted.tick(SENSOR).run_requests
    drifted.ended("toy_retraining", dg.DagsterRunStatus.CANCELED, request.tags)
    tick = drifted.tick(SENSOR)
    assert tick.run_requests == []
    assert "was cancelled: it is left to a person" in tick.skip_message


@pytest.mark.parametrize("asset", [None, "retrained_model", "evaluation"])
def test_while_a_retraining_runs_whoever_started_it_no_other_starts(drifted: Any, asset: str | None) -> None:
    started = dg.DagsterRunStatus.STARTED
    if asset:
        drifted.by_hand(asset, D16, started)
    else:
        drifted.ended("toy_retraining", started, {})
    tick = drifted.tick(SENSOR)
    assert tick.run_requests == []
    assert tick.skip_message.startswith("hold: ")
    assert "already in flight" in tick.skip_message


def test_a_challenger_on_its_way_holds_the_next_retraining(drifted: Any) -> None:
    drifted.registry.set_alias("challenger", "1")
    assert "already in flight" in drifted.tick(SENSOR).skip_message


def test_an_old_day_never_triggers_however_red_a_backfill_makes_it(world: Any) -> None:
    world.log(D15, shift=4.0)
    world.log(D16)
    world.at(D17)
    world.daemon(CLOSER)
    world.judge(D15)  # once more by hand, after the live day
    assert world.verdict(D15).outcome == "drift"
    tick = world.tick(SENSOR)
    assert tick.run_requests == []
    assert tick.skip_message == "hold: no drift on 2024-04-16: none of 4 checks drifted"


def test_a_red_day_is_history_once_it_is_older_than_max_age(drifted: Any) -> None:
    drifted.at(date(2024, 4, 19), 6.1)
    tick = drifted.tick(SENSOR)
    assert tick.run_requests == []
    assert "due more than 2 days ago: nothing is live" in tick.skip_message


def test_a_day_that_was_judged_against_another_champion_holds(drifted: Any) -> None:
    drifted.register(**{"ct.as_of": "2024-04-16"})
    drifted.promote("2")
    tick = drifted.tick(SENSOR)
    assert tick.run_requests == []
    assert tick.skip_message == "hold: 2024-04-16 was judged against version 1, and version 2 is champion now"


def test_rows_that_came_after_the_verdict_hold_until_it_is_made_again(drifted: Any) -> None:
    drifted.log(D16, seed=1, shift=4.0, rows=20, written=drifted.now() - timedelta(hours=1))
    assert "is stale" in drifted.tick(SENSOR).skip_message
    drifted.daemon(CLOSER)
    (request,) = drifted.tick(SENSOR).run_requests
    assert request.partition_key == "2024-04-16"


def test_a_day_that_is_being_judged_again_is_not_judged(drifted: Any) -> None:
    drifted.by_hand("drift_report", D16, dg.DagsterRunStatus.STARTED)
    assert drifted.tick(SENSOR).skip_message == "hold: the live day 2024-04-16 is not judged yet"


def test_short_labels_wait_and_say_until_when_and_a_later_tick_retrains_by_itself(make_world: Any) -> None:
    world = make_world(training={"min_rows": 2_600})  # the window of 16 April holds ten days of 240 rows
    world.log(D15, rows=600)
    world.log(D16, shift=4.0)
    world.at(D17)
    world.daemon(CLOSER)
    tick = world.tick(SENSOR)
    assert tick.run_requests == []
    assert tick.skip_message.startswith(
        "wait: drift on 2024-04-16, but its training window holds 2,400 mature rows"
    )
    assert tick.skip_message.endswith("and 2,600 with 10 are needed: enough from the as-of day 2024-04-19 on")
    (entry,) = world.ledger("trigger")
    assert (entry.action, entry.evidence["until"]) == ("wait", "2024-04-19")
    world.log(D17, D19, shift=4.0)
    world.at(date(2024, 4, 20))
    world.daemon(CLOSER)
    (request,) = world.tick(SENSOR).run_requests
    assert (request.partition_key, request.tags["ct/attempt"]) == ("2024-04-19", "1")


def test_a_drift_waits_until_a_training_window_holds_days_of_it(make_world: Any) -> None:
    """Two labelled days, two of holdout, two of label delay: five days after it began."""
    world = make_world(training={"drift_days": 2}, calendar={"catch_up_days": 8})
    world.log(D15, date(2024, 4, 20), shift=4.0)
    world.at(date(2024, 4, 20))
    world.daemon(CLOSER)
    said = world.tick(SENSOR).skip_message
    assert said == (
        "wait: drift since 2024-04-15, and a training window holds 2 labelled days of it from the as-of day 2024-04-20 on"
    )
    world.at(date(2024, 4, 21))
    world.daemon(CLOSER)
    (request,) = world.tick(SENSOR).run_requests
    assert request.partition_key == "2024-04-20"


def test_a_holdout_short_of_positives_waits_instead_of_starting_a_run_that_must_fail(make_world: Any) -> None:
    world = make_world(training={"min_positives": 250})
    world.log(D15)
    world.log(D16, shift=4.0)
    world.at(D17)
    world.daemon(CLOSER)
    said = world.tick(SENSOR).skip_message
    assert said.startswith("wait: ")
    assert "the holdout 2024-04-13..2024-04-14 holds" in said
    assert "positive labels, and 250 are needed" in said


def test_a_broken_column_holds_and_blocks_the_retraining(world: Any) -> None:
    world.log(D15)
    world.log(D16, shift=4.0, null="shop")
    world.at(D17)
    world.daemon(CLOSER)
    tick = world.tick(SENSOR)
    assert tick.run_requests == []
    assert tick.skip_message.startswith(
        "hold: data fault on 2024-04-16, which blocks retraining until it is repaired"
    )
    assert [entry.action for entry in world.ledger("trigger")] == ["hold"]


def test_the_ledger_gets_a_row_only_when_the_mind_changes(world: Any) -> None:
    world.log(D15)
    world.at(D16)
    for _ in range(3):
        world.tick(SENSOR)
    world.daemon(CLOSER)
    for _ in range(3):
        world.tick(SENSOR)
    said = [entry.reason for entry in world.ledger("trigger")]
    assert said == [
        "the live day 2024-04-15 is not judged yet",
        "no drift on 2024-04-15: none of 4 checks drifted",
    ]
    assert json.loads(world.cursors[SENSOR])["reason"] == said[-1]


def test_without_a_champion_drift_retrains_nothing(make_world: Any) -> None:
    world = make_world(champion=False)
    world.log(D15, shift=4.0)
    world.at(D16)
    world.daemon(CLOSER)
    assert "no version of" in world.tick(SENSOR).skip_message


def test_days_without_traffic_do_not_hide_the_days_before_them(make_world: Any) -> None:
    world = make_world(drift={"persistence": {"k": 3, "n": 3}}, calendar={"catch_up_days": 8})
    for day in (D15, D16, D18, date(2024, 4, 21)):
        world.log(day, shift=4.0)
    world.at(date(2024, 4, 22))
    world.daemon(CLOSER)
    (request,) = world.tick(SENSOR).run_requests
    assert "3 of the last 3 judged days" in request.tags["ct/reason"]


class CountedLake(Lake):
    """A lake that counts what is asked of it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.listed: list[str] = []
        self.got: list[str] = []

    def list(self, prefix: str) -> Iterator[Object]:
        self.listed.append(prefix)
        return super().list(prefix)

    def get(self, key: str) -> bytes | None:
        self.got.append(key)
        return super().get(key)


def test_the_facts_of_a_tick_cost_a_few_listings_and_small_objects(world: Any) -> None:
    world.log(D15)
    world.at(D16)
    world.daemon(CLOSER)
    lake = CountedLake(world.lake.url)
    facts = gather_facts(world.spec, world.instance, lake, world.registry, world.now())
    assert facts.live is not None
    assert len(lake.listed) <= 10, "days by their prefix, never the whole log"
    assert all(prefix.count("/") == 5 for prefix in lake.listed)
    assert lake.got, "verdicts"
    assert all(key.endswith("verdict.json") for key in lake.got), (
        "no row is read before everything else says retrain"
    )
    assert len(lake.got) <= 10


def test_a_wait_does_not_count_the_labels_anew_at_every_tick(drifted: Any) -> None:
    def read_at(now: datetime) -> list[str]:
        lake = CountedLake(drifted.lake.url)
        facts = gather_facts(drifted.spec, drifted.instance, lake, drifted.registry, now)
        assert callable(facts.labels)
        assert facts.labels().sufficient
        return [key for key in lake.got if key.startswith("labels/")]

    first = read_at(drifted.now())
    assert len(first) > 10
    assert read_at(drifted.now() + timedelta(seconds=299)) == []
    assert read_at(drifted.now() + timedelta(seconds=300)) == first
