from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct_assets.spec import ModelSpec, ServingSpec
from serving.contract import MAX_LABELS, Contract
from serving.faults import Invalid

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
ROW = {"transaction_amount": 120.5, "merchant_category": "travel", "hour_of_day": 14}
SPEC = ModelSpec(
    model="fraud_detector",
    entity="customer_id",
    label="is_fraud",
    features={
        "transaction_amount": "numerical",
        "merchant_category": "categorical",
        "hour_of_day": "numerical",
    },
    serving=ServingSpec(max_age_s=3_600, max_ahead_s=60),
)


def fault_of(body, *, labels=False):
    contract = Contract(SPEC)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Invalid) as caught:
        contract.labels(raw, NOW) if labels else contract.request(raw, NOW)
    return caught.value.fault


def without(name):
    return {key: value for key, value in ROW.items() if key != name}


def test_values_come_out_in_the_order_of_the_spec():
    shuffled = dict(reversed(ROW.items()))
    request = Contract(SPEC).request(json.dumps({"features": shuffled}).encode(), NOW)
    assert msgspec.structs.astuple(request.features) == (120.5, "travel", 14.0)


@pytest.mark.parametrize(
    ("body", "pointer", "says", "fix"),
    [
        ({"features": without("hour_of_day")}, "#/features/hour_of_day", "missing", "null where it is missing"),
        ({"features": ROW | {"hour": 1}}, "#/features/hour", "unknown", "transaction_amount, merchant_category, hour_of_day"),
        ({"features": ROW | {"hour_of_day": "14"}}, "#/features/hour_of_day", "got `str`", "finite number"),
        ({"features": ROW | {"hour_of_day": True}}, "#/features/hour_of_day", "got `bool`", "finite number"),
        ({"features": ROW | {"merchant_category": 5}}, "#/features/merchant_category", "got `int`", "send a string"),
        ({"features": ROW | {"transaction_amount": 3.5e38}}, "#/features/transaction_amount", "e+38", "float32"),
        (b'{"features": {"transaction_amount": 1e999}}', "#/features/transaction_amount", "out of range", "finite"),
        (b'{"features": {"transaction_amount": Infinity}}', "#", "no valid JSON", "/docs"),
        ({"features": [1, 2]}, "#/features", "got `array`", "one member a feature"),
        ({}, "#/features", "missing", "one member a feature"),
        ([], "#", "got `array`", "/docs"),
        ({"features": ROW, "amount": 1}, "#/amount", "unknown", "/docs"),
        ({"features": ROW, "request_id": ""}, "#/request_id", "length >= 1", "1 to 128"),
        ({"features": ROW, "request_id": "x" * 129}, "#/request_id", "length <= 128", "1 to 128"),
        ({"features": ROW, "entity": 7}, "#/entity", "got `int`", "send a string"),
        ({"features": ROW, "event_time": "2024-05-01T12:00:00"}, "#/event_time", "timezone", "with its zone"),
        ({"features": ROW, "event_time": "yesterday"}, "#/event_time", "RFC3339", "2024-05-01T12:00:00Z"),
        ({"features": ROW, "event_time": 1714564800}, "#/event_time", "got `int`", "RFC 3339"),
        ({"features": ROW, "event_time": "0001-01-01T00:00:00+14:00"}, "#/event_time", "outside", "max_age_s"),
        (b'{"features": ' + b"[" * 100_000, "#/features", "got `array`", "one member a feature"),
        (b"\xff", "#", "no valid JSON", "/docs"),
    ],
)  # fmt: skip
def test_a_fault_names_the_field_what_was_wrong_and_the_fix(body, pointer, says, fix):
    fault = fault_of(body)
    assert fault.pointer == pointer
    assert says in fault.detail
    assert fix in fault.fix


@pytest.mark.parametrize(
    ("offset_s", "accepted"), [(-3_600, True), (-3_600.001, False), (60, True), (60.001, False), (0, True)]
)
@pytest.mark.parametrize("route", ["request", "label", "labels"])
def test_both_logs_keep_the_same_window_of_time(route, offset_s, accepted):
    at = (NOW + timedelta(seconds=offset_s)).isoformat()
    label = {"request_id": "r", "label": 1, "label_time": at}
    body = {
        "request": {"features": ROW, "event_time": at},
        "label": label,
        "labels": [label | {"label_time": None}, label],
    }[route]
    pointer = {"request": "#/event_time", "label": "#/label_time", "labels": "#/1/label_time"}[route]
    contract = Contract(SPEC)
    if accepted:
        contract.request(json.dumps(body).encode(), NOW) if route == "request" else contract.labels(
            json.dumps(body).encode(), NOW
        )
    else:
        assert fault_of(body, labels=route != "request").pointer == pointer


@settings(max_examples=60)
@given(st.datetimes(timezones=st.timezones()))
def test_a_time_of_any_zone_is_judged_by_its_instant(at):
    inside = NOW - timedelta(hours=1) <= at <= NOW + timedelta(minutes=1)
    if (
        at.utcoffset().total_seconds() % 60
    ):  # local mean times of before 1900: RFC 3339 has no seconds in an offset
        return
    try:
        Contract(SPEC).request(json.dumps({"features": ROW, "event_time": at.isoformat()}).encode(), NOW)
    except Invalid:
        assert not inside
    else:
        assert inside


@pytest.mark.parametrize(("label", "value"), [(0, 0), (1, 1), (True, 1), (False, 0), (1.0, 1)])
def test_a_label_is_zero_or_one(label, value):
    (decoded,) = Contract(SPEC).labels(json.dumps({"request_id": "r", "label": label}).encode(), NOW)
    assert float(decoded.label) == value


@pytest.mark.parametrize("label", [2, -1, 0.5, "1", None, 1e300])
def test_anything_else_is_no_label(label):
    fault = fault_of([{"request_id": "r", "label": 1}, {"request_id": "r", "label": label}], labels=True)
    assert fault.pointer == "#/1/label"
    assert fault.fix == "send 0 or 1"


def test_a_list_holds_one_to_ten_thousand_labels():
    label = {"request_id": "r", "label": 1}
    assert len(Contract(SPEC).labels(json.dumps([label] * MAX_LABELS).encode(), NOW)) == MAX_LABELS
    for count in (0, MAX_LABELS + 1):
        assert fault_of([label] * count, labels=True).pointer == "#"
