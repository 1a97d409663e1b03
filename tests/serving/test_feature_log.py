from __future__ import annotations

import time
from datetime import timedelta

import pytest

from serving.feature_log import FeatureLog, FeatureRecord, LabelLog, LabelRecord
from serving.metrics import Metrics
from serving.settings import ServingSettings


@pytest.fixture
def metrics(spec):
    return Metrics(spec.model)


@pytest.fixture
def log(spec, lake, metrics):
    log = FeatureLog(spec, lake, metrics, ServingSettings(retry_first_s=0.01, retry_cap_s=0.02))
    log.start()
    return log


def record(number, at):
    return FeatureRecord(f"r{number}", at, at, "1", "champion", 0.5, None, (1.0, "travel", None))


def logged(lake):
    keys = [o.key for o in lake.list("features/") if o.key.endswith(".parquet")]
    return sorted(row["request_id"] for key in keys for row in lake.read_table(key).to_pylist())


def failures(metrics):
    return metrics.registry.get_sample_value(
        "serving_log_put_failures_total", {"model": "fraud_detector", "log": "features"}
    )


def test_records_go_to_the_hour_of_their_event(log, lake, clock):
    for number in range(6):
        assert log.append(record(number, clock.now + timedelta(minutes=30 * number)))
    assert log.close(5) == 0
    hours = [o.key.split("/")[-2] for o in lake.list("features/fraud_detector/2024/05/01/")]
    assert sorted(hours) == ["12", "13", "14"]


def test_a_write_that_failed_halfway_is_finished_without_a_row_twice(spec, lake, clock, metrics, tmp_path):
    blocked = tmp_path / "lake/features/fraud_detector/2024/05/01/13"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where the hour's folder must be")
    six = spec.model_copy(update={"serving": spec.serving.model_copy(update={"flush_rows": 6})})
    log = FeatureLog(six, lake, metrics, ServingSettings(retry_first_s=0.01, retry_cap_s=0.02))
    log.start()
    for number in range(6):
        log.append(record(number, clock.now + timedelta(minutes=30 * number)))
    end = time.monotonic() + 5
    while failures(metrics) < 2 and time.monotonic() < end:
        time.sleep(0.005)
    assert logged(lake) == ["r0", "r1"], "the hour before the blocked one"
    blocked.unlink()
    assert log.close(5) == 0
    assert logged(lake) == [f"r{n}" for n in range(6)]


def test_labels_are_taken_whole_or_not_at_all(spec, lake, clock, metrics):
    log = LabelLog(spec, lake, metrics, ServingSettings(buffer_rows=3))
    log.start()
    two = [LabelRecord(f"r{n}", 1.0, clock.now, clock.now) for n in range(2)]
    assert log.append(two)
    assert not log.append(two)
    assert log.close(5) == 0
    assert sum(lake.read_table(o.key).num_rows for o in lake.list("labels/")) == 2
