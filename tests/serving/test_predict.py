from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ct_assets.lake.record import feature_log_schema
from serving.settings import ServingSettings

ROW = {"transaction_amount": 120.5, "merchant_category": "travel", "hour_of_day": 14}


def test_a_row_gets_the_score_of_the_graph_and_the_version_that_gave_it(room, bundles):
    answer = room.predict(request_id="r1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body.pop("prediction") == pytest.approx(bundles.score(0.1), abs=1e-6)
    assert body == {"request_id": "r1", "model_version": "1", "variant": "champion"}


def test_an_answered_request_is_in_the_lake_as_it_was_sent(room, clock):
    event_time = clock.now - timedelta(minutes=40)
    answer = room.predict(request_id="r1", event_time=event_time.isoformat(), entity="customer 7").json()
    room.stop()
    assert room.logged() == [
        {
            "request_id": "r1",
            "event_time": event_time,
            "received_at": clock.now,
            "model_version": "1",
            "variant": "champion",
            "prediction": answer["prediction"],
            "entity": "customer 7",
            **ROW,
        }
    ]
    assert [o.key.rsplit("/", 1)[0] for o in room.lake.list("features/")] == [
        "features/fraud_detector/2024/05/01/11"
    ]


def test_the_log_has_the_lakes_own_schema(room, lake, spec):
    room.predict()
    room.stop()
    (written,) = lake.list("features/")
    assert lake.read_table(written.key).schema == feature_log_schema(spec)


def test_missing_values_are_scored_and_logged_as_null(room, bundles):
    row = {"transaction_amount": None, "merchant_category": None, "hour_of_day": None}
    answer = room.predict(features=row)
    assert answer.json()["prediction"] == pytest.approx(bundles.score(0.1, row), abs=1e-6)
    room.stop()
    assert {name: room.logged()[0][name] for name in row} == row


def test_the_request_id_is_the_bodys_else_the_headers_else_made_here(room):
    header = {"x-request-id": "from-header"}
    both = room.client.post("/predict", json={"features": ROW, "request_id": "from-body"}, headers=header)
    one = room.client.post("/predict", json={"features": ROW}, headers=header)
    made = {room.predict().json()["request_id"] for _ in range(20)}
    assert both.json()["request_id"] == "from-body"
    assert one.json()["request_id"] == "from-header"
    assert len(made) == 20


def test_an_unusable_request_id_header_is_refused_by_name(room):
    answer = room.client.post("/predict", json={"features": ROW}, headers={"x-request-id": "x" * 129})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "x-request-id"


def test_a_refusal_is_a_problem_that_names_field_and_fix_and_logs_nothing(room):
    answer = room.predict(features=ROW | {"hour_of_day": "noon"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    assert problem["errors"][0]["pointer"] == "#/features/hour_of_day"
    assert "finite number" in problem["errors"][0]["fix"]
    room.stop()
    assert room.logged() == []


def test_a_body_over_the_limit_is_refused(open_room):
    room = open_room(settings=ServingSettings(max_body_bytes=200))
    assert room.predict().status_code == 200
    answer = room.predict(entity="x" * 200)
    assert answer.status_code == 422
    assert "200 bytes" in answer.json()["detail"]


def test_requests_on_the_shadow_port_are_logged_and_counted_apart(open_room):
    room = open_room(variant="champion", shadow_port=8002)
    live = room.predict(request_id="live").json()
    shadow = room.client.post(
        "http://testserver:8002/predict", json={"features": ROW, "request_id": "mirrored"}
    ).json()
    assert shadow["prediction"] == live["prediction"]
    for variant in ("champion", "shadow"):
        assert room.metric("serving_requests_total", variant=variant, version="1", status="200") == 1
    room.stop()
    assert {r["request_id"]: r["variant"] for r in room.logged()} == {
        "live": "champion",
        "mirrored": "shadow",
    }


def test_a_failing_graph_is_a_500_of_its_variant_and_the_next_row_is_answered(
    open_room, shelf, bundles, caplog
):
    shelf.versions["3"] = bundles.write("three", 0.1, body=bundles.graph(0.1, fragile=True))
    shelf.aliases["champion"] = "3"
    room = open_room()
    for n in range(3):
        failed = room.predict(features=ROW | {"hour_of_day": 24}, request_id=f"bad{n}")
        assert failed.status_code == 500
        assert failed.headers["content-type"] == "application/problem+json"
        assert failed.json()["request_id"] == f"bad{n}"
        assert "version 3" in failed.json()["detail"]
    assert room.predict(request_id="good").status_code == 200
    assert room.metric("serving_requests_total", variant="champion", version="3", status="500") == 3
    assert sum("failed on request" in r.message for r in caplog.records) == 1, (
        "the same failure is logged once in a while"
    )
    room.stop()
    assert [r["request_id"] for r in room.logged()] == ["good"]


def test_without_a_model_a_request_is_told_so_and_when_to_come_back(open_room, shelf):
    shelf.aliases.clear()
    answer = open_room(variant="challenger").predict()
    assert answer.status_code == 503
    assert answer.json()["detail"] == "no model has alias challenger yet"
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(("when_full", "status", "dropped"), [("drop", 200, 3), ("refuse", 503, 0)])
def test_a_full_log_is_said_either_in_the_count_or_in_the_answer(open_room, when_full, status, dropped):
    room = open_room(settings=ServingSettings(buffer_rows=2, when_full=when_full))
    answers = [room.predict().status_code for _ in range(5)]
    assert answers == [200, 200, status, status, status]
    assert room.metric("serving_log_dropped_rows_total", log="features") == dropped
    room.stop()
    assert len(room.logged()) == 2
    assert room.metric("serving_log_accepted_rows_total", log="features") == 2 + dropped


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
times = st.datetimes(timezones=st.timezones()).map(datetime.isoformat) | st.datetimes().map(
    datetime.isoformat
)
near_rows = st.fixed_dictionaries({name: json_values for name in ROW})
near_requests = st.fixed_dictionaries(
    {"features": near_rows | json_values},
    optional={
        "request_id": json_values,
        "event_time": times | json_values,
        "entity": json_values,
        "else": json_values,
    },
)
near_labels = st.fixed_dictionaries(
    {"request_id": json_values, "label": json_values}, optional={"label_time": times | json_values}
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    request=near_requests | json_values, labels=near_labels | st.lists(near_labels, max_size=3) | json_values
)
def test_no_json_body_ever_gives_a_server_error(room, request, labels):
    assert room.client.post("/predict", json=request).status_code in (200, 422)
    assert room.client.post("/feedback", json=labels).status_code in (202, 422)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=st.fixed_dictionaries({
    "transaction_amount": st.none() | st.floats(allow_nan=False, width=32, allow_infinity=False) | st.integers(-(2**70), 2**70),
    "merchant_category": st.none() | st.text(),
    "hour_of_day": st.none() | st.floats(-1e38, 1e38),
}))  # fmt: skip
def test_every_row_of_the_right_kinds_is_scored(room, row):
    answer = room.predict(features=row)
    assert answer.status_code == 200
    assert 0 <= answer.json()["prediction"] <= 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"NaN",
        b"\xff\xfe",
        b'{"request_id": "\xff"}',
        b'{"request_id": "\\ud800"}',
        b'[{"request_id": "\\ud800", "label": 1}]',
        b"[" * 100_000,
        b'{"features":' * 50_000,
        b'{"features": {"hour_of_day": Infinity}}',
    ],
)
def test_no_other_bytes_ever_give_a_server_error(room, body):
    for route in ("/predict", "/feedback"):
        assert room.client.post(route, content=body).status_code == 422
