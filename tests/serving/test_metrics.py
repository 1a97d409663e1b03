from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


def test_metrics_parse_and_tell_requests_latency_rows_and_model(room):
    room.predict()
    room.predict(features={})
    answer = room.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for f in text_string_to_metric_families(answer.text)
        for s in f.samples
    }

    def value(name, **labels):
        return samples[name, tuple(sorted({"model": "fraud_detector", **labels}.items()))]

    assert value("serving_requests_total", variant="champion", version="1", status="200") == 1
    assert value("serving_requests_total", variant="champion", version="1", status="422") == 1
    assert value("serving_request_seconds_count", variant="champion") == 2
    assert value("serving_log_buffered_rows", log="features") == 1
    assert value("serving_log_accepted_rows_total", log="features") == 1
    assert value("serving_log_shipped_rows_total", log="labels") == 0
    assert value("serving_model_info", variant="champion", version="1", run_id="run-1") == 1
    assert value("serving_follower_failures_total", reason="registry") == 0


def test_two_apps_in_one_process_count_apart(open_room):
    first, second = open_room(), open_room()
    first.predict()
    counted = [
        r.metric("serving_requests_total", variant="champion", version="1", status="200")
        for r in (first, second)
    ]
    assert counted == [1, 0]
