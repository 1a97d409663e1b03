"""retrained_model and evaluation in process: from labelled days to alias challenger, or a reason why not."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
from msgspec.structs import replace

from ct_assets.rollout import RolloutContext, begin
from ct_assets.rollout.routers.envoy import EnvoyRouter

D16, D17 = date(2024, 4, 16), date(2024, 4, 17)
JOB = "toy_retraining"
SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE


def retrained(world: Any, day: date = D16, **tags: str) -> dg.DagsterRun:
    run: dg.DagsterRun = world.run(JOB, partition=str(day), tags=tags)
    return run


def with_days(world: Any, shift: float = 1.0) -> None:
    """Traffic up to the 16th, compacted."""
    world.log(date(2024, 4, 15), D16, shift=shift)
    world.compact(date(2024, 4, 15), D16)


def fail_message(world: Any, run: dg.DagsterRun) -> str:
    failures = world.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    data = failures[0].dagster_event.step_failure_data
    return str(data.user_failure_data.description if data.user_failure_data else data.error.message)


def test_a_better_candidate_becomes_challenger_and_says_where_it_comes_from(make_world: Any) -> None:
    world = make_world(gate={"margin": 0.0}, champion=False)
    with_days(world)
    world.at(D17)
    run = retrained(world, **{"ct/reason": "drift on 2024-04-16"})
    assert run.status is SUCCESS
    trained = world.metadata("retrained_model", D16)
    assert (trained["version"], trained["why"]) == ("2", "drift on 2024-04-16")
    assert trained["training window"] == "2024-04-03 .. 2024-04-12"
    assert trained["holdout"] == "2024-04-13 .. 2024-04-14"
    assert (trained["dagster/row_count"], trained["holdout rows"]) == (2_400, 480)
    judged = world.metadata("evaluation", D16)
    assert (judged["version"], judged["decision"]) == ("2", "challenger")
    checks = world.checks("evaluation", D16)
    assert all(check.passed for check in checks.values())
    assert checks["auc_threshold"].metadata["value"].value >= 0.6
    assert {check.partition for check in checks.values()} == {"2024-04-16"}
    assert world.registry.by_alias("challenger").version == "2"
    assert world.registry.get("2").tags["ct.gate"] == "passed"
    training, gate = world.ledger("training")[-1], world.ledger("gate")[-1]
    assert (training.action, training.reason, training.version, training.run_id) == (
        "train",
        "drift on 2024-04-16",
        "2",
        run.run_id,
    )
    assert (gate.action, gate.version, gate.evidence["holdout_rows"]) == ("promote", "2", 480)


def test_a_rejection_is_a_red_check_on_a_green_run(make_world: Any) -> None:
    world = make_world(gate={"threshold": 0.99})
    with_days(world)
    assert retrained(world).status is SUCCESS
    check = world.checks("evaluation", D16)["auc_threshold"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert check.metadata["outcome"].value == "fail"
    assert world.metadata("evaluation", D16)["decision"] == "rejected"
    assert world.registry.by_alias("challenger") is None
    tags = world.registry.get("2").tags
    assert tags["ct.gate"] == "rejected"
    assert "is below 0.99" in tags["ct.gate_reason"]
    assert world.ledger("gate")[-1].action == "reject"
    assert world.tick("toy_drift_sensor").run_requests == []


def test_too_few_labels_fail_the_run_with_their_reason_and_nothing_is_registered(make_world: Any) -> None:
    world = make_world(training={"min_rows": 5_000})
    with_days(world)
    run = retrained(world)
    assert run.status is FAILURE
    said = fail_message(world, run)
    assert said.startswith(
        "training window 2024-04-03..2024-04-12 holds 2,400 labelled rows, at least 5,000 are needed"
    )
    entry = world.ledger("training")[-1]
    assert (entry.action, entry.reason, entry.day, entry.run_id) == ("refuse", said, "2024-04-16", run.run_id)
    assert [version.version for version in world.registry.versions()] == ["1"]
    assert world.ledger("gate") == []


def test_a_backfill_is_judged_and_moves_no_alias(make_world: Any) -> None:
    world = make_world(champion=False)
    with_days(world)
    assert retrained(world, **{"dagster/backfill": "abc"}).status is SUCCESS
    assert world.registry.by_alias("challenger") is None
    assert world.registry.get("2").tags["ct.gate"] == "passed"
    entry = world.ledger("gate")[-1]
    assert entry.action == "hold"
    assert "was trained by a backfill" in entry.reason
    assert world.metadata("evaluation", D16)["decision"] == "passed the rules, no alias moved"


def test_a_newer_candidate_does_not_take_the_alias_from_a_rollout_that_is_open(make_world: Any) -> None:
    world = make_world(champion=False)
    world.registry.set_alias("challenger", "1")
    rollout = open_rollout(world, "1")
    with_days(world)
    assert retrained(world).status is SUCCESS
    assert world.registry.by_alias("challenger").version == "1"
    assert world.registry.get("2").tags["ct.gate"] == "passed"
    entry = world.ledger("gate")[-1]
    assert entry.action == "hold"
    assert "the rollout of version 1 is open and keeps alias challenger" in entry.reason
    # It has ended: the same evaluation again, and it is challenger.
    route = rollout.read()
    rollout.write(replace(route.state, phase="rolled_back"), route.version)
    run = world.run(JOB, partition=str(D16), assets=["evaluation"])
    assert run.status is SUCCESS
    assert world.registry.by_alias("challenger").version == "2"


def test_a_challenger_that_waits_for_its_rollout_is_replaced_by_a_newer_one(make_world: Any) -> None:
    world = make_world(champion=False)
    world.registry.set_alias("challenger", "1")
    with_days(world)
    retrained(world)
    assert world.registry.by_alias("challenger").version == "2"


def test_the_champion_judged_again_does_not_become_its_own_challenger(make_world: Any) -> None:
    world = make_world(champion=False)
    with_days(world)
    retrained(world)
    world.registry.clear_alias("challenger")
    world.promote("2")
    world.at(D17)
    run = world.run(JOB, partition=str(D16), assets=["evaluation"])
    assert run.status is SUCCESS
    assert world.registry.by_alias("challenger") is None, "it would block every later retraining"
    assert world.ledger("gate")[-1].reason.endswith("version 2 is champion already")


def test_an_evaluation_without_a_candidate_says_what_to_materialize(world: Any) -> None:
    run = world.run(JOB, partition=str(D16), assets=["evaluation"])
    assert run.status is FAILURE
    assert fail_message(world, run) == (
        "no candidate as of 2024-04-16: materialize toy/retrained_model of that day first"
    )


def test_the_same_day_trained_twice_is_the_same_version(make_world: Any) -> None:
    world = make_world(champion=False)
    with_days(world)
    retrained(world)
    retrained(world)
    assert [version.version for version in world.registry.versions()] == ["2", "1"]
    assert world.metadata("retrained_model", D16)["found, not trained again"]


def open_rollout(world: Any, version: str) -> EnvoyRouter:
    """Begun by a run that is still at it; the data plane does not matter here."""
    router: EnvoyRouter = world.resources["router"].of(world.spec)
    context = RolloutContext(
        router=router,
        registry=world.registry,
        spec=world.spec.rollout,
        owner="run-1",
        champion_urls=world.spec.serving.champion_urls,
        challenger_urls=world.spec.serving.challenger_urls,
    )
    begin(context, version, "0")
    return router
