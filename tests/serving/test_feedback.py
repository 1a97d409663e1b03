from __future__ import annotations

from datetime import timedelta

from serving.settings import ServingSettings


def test_labels_are_in_the_lake_with_the_time_they_became_known(room, clock):
    known = clock.now - timedelta(minutes=5)
    one = room.client.post("/feedback", json={"request_id": "a", "label": 1, "label_time": known.isoformat()})
    two = room.client.post(
        "/feedback", json=[{"request_id": "b", "label": 0}, {"request_id": "c", "label": True}]
    )
    assert (one.status_code, one.json()) == (202, {"accepted": 1})
    assert (two.status_code, two.json()) == (202, {"accepted": 2})
    room.stop()
    rows = sorted(room.logged("labels"), key=lambda r: r["request_id"])
    assert [(r["request_id"], r["label"], r["label_time"]) for r in rows] == [
        ("a", 1.0, known),
        ("b", 0.0, clock.now),
        ("c", 1.0, clock.now),
    ]
    assert {r["received_at"] for r in rows} == {clock.now}


def test_one_bad_label_refuses_the_whole_list(room):
    answer = room.client.post("/feedback", json=[{"request_id": "a", "label": 1}, {"label": 1}])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/1/request_id"
    room.stop()
    assert room.logged("labels") == []


def test_labels_are_taken_while_no_model_is_loaded(open_room, shelf):
    shelf.aliases.clear()
    room = open_room()
    assert room.predict().status_code == 503
    assert room.client.post("/feedback", json={"request_id": "a", "label": 1}).status_code == 202


def test_a_list_that_does_not_fit_is_refused_whole_so_that_it_can_be_sent_again(open_room):
    room = open_room(settings=ServingSettings(buffer_rows=3))
    two = [{"request_id": f"r{n}", "label": 1} for n in range(2)]
    assert room.client.post("/feedback", json=two).status_code == 202
    refused = room.client.post("/feedback", json=two)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"
    room.stop()
    assert len(room.logged("labels")) == 2
    assert room.metric("serving_feedback_requests_total", status="503") == 1
