"""Which days are judged, when, and how often: sensor and schedule over a real lake and a real event log."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import dagster as dg

from ct_assets.graph.names import RANGE_END, RANGE_START, day_range_tags
from ct_assets.graph.runs import days_of
from ct_assets.lake.production import compacted_fingerprint

DAY = timedelta(days=1)
D15, D16, D17, D18, D19 = (date(2024, 4, d) for d in range(15, 20))
CLOSER = "toy_closer"
JUDGED = "every closed day is judged"


def spans(requests: Any) -> list[tuple[str, str]]:
    return [(request.tags[RANGE_START], request.tags[RANGE_END]) for request in requests]


def test_today_is_never_judged_nor_a_day_that_is_six_hours_old(world: Any) -> None:
    world.log(D15, D16)
    world.at(D16, 5.9)
    assert spans(world.tick(CLOSER).run_requests) == [("2024-04-09", "2024-04-14")]
    world.at(D16, 6.1)
    assert spans(world.tick(CLOSER).run_requests) == [("2024-04-10", "2024-04-15")]


def test_a_day_that_is_still_being_written_is_left_alone_until_it_is_quiet(world: Any) -> None:
    world.at(D16)
    world.daemon(CLOSER)
    world.log(D15, written=world.now() - timedelta(seconds=899))
    assert world.tick(CLOSER).skip_message == JUDGED
    world.at(D16, 7.01)
    assert spans(world.tick(CLOSER).run_requests) == [("2024-04-15", "2024-04-15")]


def test_an_outage_of_four_days_is_caught_up_by_one_run_with_a_result_a_day(world: Any) -> None:
    world.at(D15)
    (run,) = world.daemon(CLOSER)
    assert run.status is dg.DagsterRunStatus.SUCCESS
    world.log(D15, D17)
    world.log(D18, shift=4.0)
    world.at(D19)
    (run,) = world.daemon(CLOSER)
    assert days_of(run) == [D15, D16, D17, D18]
    for day in (D15, D16, D17, D18):
        checks = world.checks("drift_report", day)
        assert {check.partition for check in checks.values()} == {str(day)}
        target = world.metadata("drift_report", day)
        assert target["dagster/row_count"] == 240
        red = sorted(name for name, check in checks.items() if not check.passed)
        assert red == (["drifted_share", "psi_amount"] if day == D18 else []), (
            f"{day}: its own verdict, not the range's"
        )
    assert world.tick(CLOSER).skip_message == JUDGED


def test_a_late_object_makes_its_day_stale_and_only_that_day(world: Any) -> None:
    world.log(D15, D16)
    world.at(D17)
    world.daemon(CLOSER)
    before = world.verdict(D15)
    world.log(D15, seed=1, rows=10, written=world.now() - timedelta(hours=1))
    (run,) = world.daemon(CLOSER)
    assert days_of(run) == [D15]
    after = world.verdict(D15)
    assert (before.rows, after.rows) == (240, 250)
    assert before.fingerprint != after.fingerprint
    assert world.daemon(CLOSER) == []


def test_days_in_flight_are_skipped_whoever_judges_them(world: Any) -> None:
    world.at(D15)
    world.daemon(CLOSER)
    world.log(D15, D18)
    world.at(D19)
    by_sensor = world.ended("toy_judge_days", dg.DagsterRunStatus.STARTED, day_range_tags(D15, D16))
    by_hand = world.by_hand("drift_report", D18, dg.DagsterRunStatus.STARTED)
    tick = world.tick(CLOSER)
    assert spans(tick.run_requests) == [("2024-04-17", "2024-04-17")]
    for run in (by_sensor, by_hand):
        world.instance.report_run_failed(run)
    assert spans(world.tick(CLOSER).run_requests) == [("2024-04-15", "2024-04-18")]


def test_a_run_that_died_after_its_materialization_is_judged_again(world: Any, monkeypatch: Any) -> None:
    world.log(D15)
    world.at(D16)
    with monkeypatch.context() as patch:
        patch.setattr("ct_assets.graph.drift_report._record_checks", _die)
        (run,) = world.daemon(CLOSER)
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert world.metadata("drift_report", D15)["outcome"] == "pass", "the materialization is there"
    assert world.verdict(D15) is not None, "and the verdict"
    (again,) = [run for run in world.daemon(CLOSER) if D15 in days_of(run)]
    assert again.tags["ct/attempt"] == "2"
    assert world.checks("drift_report", D15)["psi_amount"].passed


def test_a_rerun_that_died_with_planned_checks_only_is_judged_again(world: Any) -> None:
    """Also where the first verdict was complete, and the run that died was started by hand, without our tags."""
    world.at(D16)
    world.log(D15)
    world.daemon(CLOSER)
    assert world.tick(CLOSER).skip_message == JUDGED
    planned = world.by_hand("drift_report", D15, dg.DagsterRunStatus.FAILURE)
    assert set(world.checks("drift_report", D15).values()) == {None}, "planned, not evaluated"
    (run,) = world.daemon(CLOSER)
    assert (days_of(run), run.tags["ct/attempt"]) == ([D15], "2")
    assert run.run_id != planned.run_id
    assert world.tick(CLOSER).skip_message == JUDGED


def test_checks_of_an_older_materialization_do_not_count(world: Any) -> None:
    world.log(D15)
    world.at(D16)
    world.daemon(CLOSER)
    reported = dg.AssetMaterialization(world.names.key("drift_report"), partition=str(D15))
    world.instance.report_runless_asset_event(reported)  # from the UI, say: no checks came with it
    (run,) = world.daemon(CLOSER)
    assert days_of(run) == [D15]
    assert world.tick(CLOSER).skip_message == JUDGED


def test_after_a_failed_range_each_day_runs_alone_so_a_bad_day_holds_up_no_other(world: Any) -> None:
    world.at(D15)
    world.daemon(CLOSER)
    world.log(D15, D17)
    world.damage(D16)
    world.at(D18)
    (run,) = world.daemon(CLOSER)
    assert (run.status, days_of(run)) == (dg.DagsterRunStatus.FAILURE, [D15, D16, D17])
    runs = world.daemon(CLOSER)
    assert [days_of(run) for run in runs] == [[D15], [D16], [D17]]
    assert [run.is_success for run in runs] == [True, False, True]


def test_after_three_runs_a_day_is_left_to_a_person_and_every_tick_says_so(world: Any) -> None:
    world.at(D15)
    world.daemon(CLOSER)
    world.log(D15)
    world.damage(D15)
    world.at(D16)
    assert [len(world.daemon(CLOSER)) for _ in range(5)] == [1, 1, 1, 0, 0]
    said = world.tick(CLOSER).skip_message
    assert said.startswith("not judged after 3 runs, and left to a person: 2024-04-15;"), said
    world.log(D15, seed=1, rows=10, written=world.now() - timedelta(hours=1))
    assert len(world.daemon(CLOSER)) == 1, "new data gets fresh tries"


def test_a_day_left_to_a_person_is_named_beside_the_runs_that_are_asked_for(world: Any) -> None:
    from ct_assets.graph.closer import close_days

    world.at(D15)
    world.daemon(CLOSER)
    world.log(D15)
    world.damage(D15)
    world.at(D16)
    for _ in range(3):
        world.daemon(CLOSER)
    world.log(D16)
    world.at(D17)
    closing = close_days(world.spec, world.instance, world.lake, world.now())
    assert spans(closing.requests) == [("2024-04-16", "2024-04-16")]
    assert closing.said.startswith(
        "1 run(s) asked for; not judged after 3 runs, and left to a person: 2024-04-15"
    )


def test_a_run_key_is_the_same_at_every_tick_and_follows_the_contents(world: Any) -> None:
    world.log(D15)
    world.at(D16)
    (first,), (second,) = (world.tick(CLOSER).run_requests for _ in range(2))
    assert first.run_key == second.run_key
    assert json.loads(first.tags["ct/contents"]).keys() == {f"2024-04-{d:02d}" for d in range(10, 16)}
    world.log(D15, seed=1, rows=5)
    (third,) = world.tick(CLOSER).run_requests
    assert third.run_key != first.run_key


def test_the_schedule_asks_for_what_the_sensor_asks_for(make_world: Any) -> None:
    world = make_world(disk=True)
    world.log(D15)
    world.at(D16)
    (by_sensor,) = world.tick(CLOSER).run_requests
    (by_schedule,) = world.tick_schedule("toy_daily").run_requests
    for request in (by_sensor, by_schedule):
        kept = {key: value for key, value in request.tags.items() if not key.startswith("dagster/s")}
        assert (request.run_key, kept) == (
            by_sensor.run_key,
            {k: v for k, v in by_sensor.tags.items() if k in kept},
        )


def test_a_check_that_is_added_later_has_the_days_judged_again(make_world: Any) -> None:
    world = make_world()
    world.at(D15)
    world.daemon(CLOSER)
    assert world.tick(CLOSER).skip_message == JUDGED
    more = make_world(
        lake=False, drift={"prediction": {"threshold": 0.2}}, registered_model=world.spec.registered_model
    )
    more.started = world.started
    (run,) = more.daemon(CLOSER)
    assert run.tags["ct/attempt"] == "1", "another task, with tries of its own"
    assert more.tick(CLOSER).skip_message == JUDGED


def test_a_verdict_of_another_layout_counts_as_none_and_stops_no_tick(world: Any) -> None:
    world.at(D15)
    world.daemon(CLOSER)
    world.lake.put("drift/toy/2024-04-14/verdict.json", b'{"day": "2024-04-14"}')
    (run,) = world.daemon(CLOSER)
    assert days_of(run) == [date(2024, 4, 14)]
    assert world.verdict(date(2024, 4, 14)).outcome


def test_a_week_long_window_judges_every_day_that_a_late_object_reaches(make_world: Any) -> None:
    world = make_world(drift={"window_days": 7}, calendar={"catch_up_days": 8})
    world.log(D15)
    world.at(D16)
    (run,) = world.daemon(CLOSER)
    assert days_of(run) == [date(2024, 4, d) for d in range(8, 16)]
    assert world.verdict(D15).rows == 7 * 240
    assert world.tick(CLOSER).skip_message == JUDGED
    # Late rows of a day before the look-back: 8 April's window reaches back to the 2nd.
    world.log(date(2024, 4, 3), seed=1, rows=10, written=world.now() - timedelta(hours=1))
    (run,) = world.daemon(CLOSER)
    assert days_of(run) == [date(2024, 4, 8), date(2024, 4, 9)]
    assert world.verdict(date(2024, 4, 9)).rows == 7 * 240 + 10
    assert world.tick(CLOSER).skip_message == JUDGED, "the verdict read what the tick fingerprints"


def test_a_window_is_whole_although_nobody_compacted_its_first_days(make_world: Any) -> None:
    world = make_world(drift={"window_days": 7}, calendar={"catch_up_days": 1}, lake=False, champion=False)
    world.log(date(2024, 4, 8), D15)
    world.at(D16)
    (run,) = world.daemon(CLOSER)
    assert days_of(run) == [D15]
    assert world.verdict(D15).rows == 7 * 240
    assert compacted_fingerprint(world.lake, "toy", date(2024, 4, 9))
    assert compacted_fingerprint(world.lake, "toy", date(2024, 4, 8)) is None
    assert world.tick(CLOSER).skip_message == JUDGED


def _die(*_: Any) -> None:
    raise RuntimeError("killed here")
