from __future__ import annotations

from datetime import timedelta

import pytest

from ct_assets.registry import Golden


def ready(room):
    answer = room.client.get("/readyz")
    return answer.status_code, answer.json()


def test_readiness_tells_who_answers_since_when(room, clock):
    expected = {
        "model": "fraud_detector",
        "variant": "champion",
        "version": "1",
        "run_id": "run-1",
        "detail": "",
    }
    status, body = ready(room)
    assert status == 200
    assert body.pop("loaded_at").startswith(clock.now.strftime("%Y-%m-%dT%H:%M:%S"))
    assert body == expected


def test_a_moved_alias_is_followed(room, shelf, bundles):
    shelf.aliases["champion"] = "2"
    room.parts.follower.tick()
    assert ready(room)[1]["version"] == "2"
    answer = room.predict().json()
    assert answer["model_version"] == "2"
    assert answer["prediction"] == pytest.approx(bundles.score(0.9), abs=1e-6)
    assert room.metric("serving_model_info", variant="champion", version="2", run_id="run-2") == 1
    assert room.metric("serving_model_info", variant="champion", version="1", run_id="run-1") == 0


def test_a_version_is_loaded_once(room, shelf):
    for _ in range(5):
        room.parts.follower.tick()
    assert shelf.downloads == 1


def test_a_bad_version_leaves_the_old_one_serving_and_says_so_until_it_is_good(room, shelf, bundles, clock):
    shelf.versions["3"] = bundles.write("three", 0.5, golden=Golden([[1.0, 1.0]], [["travel"]], [0.01]))
    shelf.aliases["champion"] = "3"
    room.parts.follower.tick()
    status, body = ready(room)
    assert (status, body["version"]) == (200, "1")
    assert body["detail"].startswith("version 3 cannot be loaded (BundleError: golden rows: scores differ")
    assert body["detail"].endswith("still serving version 1")
    assert room.predict().json()["model_version"] == "1"
    assert room.metric("serving_follower_failures_total", reason="model") == 1

    shelf.versions["3"] = bundles.write("three again", 0.5)
    room.parts.follower.tick()
    assert ready(room)[1]["version"] == "1", "tried again before its time"
    clock.now += timedelta(seconds=0.5)
    room.parts.follower.tick()
    assert ready(room)[1]["version"] == "3"
    assert ready(room)[1]["detail"] == ""


def test_waits_for_a_bad_version_grow_but_another_version_is_loaded_at_once(room, shelf, bundles, clock):
    shelf.versions["3"] = bundles.write("three", 0.5, onnx_sha256="0" * 64)
    shelf.aliases["champion"] = "3"
    tries = []
    for second in range(40):
        before = shelf.downloads
        room.parts.follower.tick()
        if shelf.downloads > before:
            tries.append(second)
        clock.now += timedelta(seconds=1)
    assert tries == [0, 1, 2, 4, 8, 16, 32]  # after 0.5, 1, 2, 4, 8, 16 s
    shelf.aliases["champion"] = "2"
    room.parts.follower.tick()
    assert ready(room)[1]["version"] == "2"


def test_an_alias_that_moves_back_ends_the_complaint(room, shelf, bundles):
    shelf.versions["3"] = bundles.write("three", 0.5, onnx_sha256="0" * 64)
    shelf.aliases["champion"] = "3"
    room.parts.follower.tick()
    shelf.aliases["champion"] = "1"
    room.parts.follower.tick()
    assert ready(room)[1]["detail"] == ""


def test_with_the_registry_away_the_model_goes_on_and_says_so(room, shelf):
    shelf.away = True
    room.parts.follower.tick()
    status, body = ready(room)
    assert status == 200
    assert (
        body["detail"]
        == "the registry cannot be reached (ConnectionError: no route to the registry); still serving version 1"
    )
    assert room.predict().status_code == 200
    assert room.metric("serving_follower_failures_total", reason="registry") == 1
    shelf.away = False
    room.parts.follower.tick()
    assert ready(room)[1]["detail"] == ""


def test_a_start_without_a_registry_is_alive_but_not_ready(open_room, shelf):
    shelf.away = True
    room = open_room()
    assert room.client.get("/healthz").status_code == 200
    status, body = ready(room)
    assert status == 503
    assert body["detail"].endswith("no model is loaded")


def test_a_challenger_without_an_alias_is_not_ready(open_room):
    status, body = ready(open_room(variant="challenger"))
    assert (status, body["version"], body["detail"]) == (503, None, "no model has alias challenger yet")


def test_a_withdrawn_challenger_answers_nobody_any_more(open_room, shelf):
    shelf.aliases["challenger"] = "2"
    room = open_room(variant="challenger")
    assert room.predict().json()["variant"] == "challenger"
    in_flight = room.parts.follower.served
    del shelf.aliases["challenger"]
    room.parts.follower.tick()
    room.parts.follower.tick()
    status, body = ready(room)
    assert (status, body["detail"]) == (
        503,
        "no model has alias challenger any more; version 2 was withdrawn",
    )
    assert room.predict().status_code == 503
    assert in_flight.predictor.score_row((1.0, "travel", 1.0)) > 0, (
        "a request that was being answered still is"
    )
    shelf.aliases["challenger"] = "2"
    room.parts.follower.tick()
    assert room.predict().status_code == 200


def test_a_champion_never_drops(room, shelf):
    shelf.aliases.clear()
    room.parts.follower.tick()
    status, body = ready(room)
    assert (status, body["version"]) == (200, "1")
    assert body["detail"] == "no model has alias champion any more; still serving version 1"
    assert room.predict().status_code == 200
