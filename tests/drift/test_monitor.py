"""What a day is judged on: its window as the lake holds it, and the reference that fits the day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ct_assets.calendar import window_fingerprint
from ct_assets.drift import Outcome
from ct_assets.drift.archive import read_verdict, read_verdicts, store_verdict
from ct_assets.drift.monitor import Monitor
from ct_assets.lake.days import slots
from ct_assets.lake.layout import reference_key, report_key, verdict_key
from ct_assets.lake.log import write_records
from ct_assets.lake.production import compact_day
from ct_assets.lake.record import feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.registry import Version
from ct_assets.spec import ModelSpec

DAY = date(2024, 5, 20)
NOW = datetime(2024, 5, 21, 6, tzinfo=UTC)
ONE_DAY = timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"file://{tmp_path / 'lake'}")


@pytest.fixture
def small(make_spec: Callable[..., ModelSpec]) -> Callable[..., ModelSpec]:
    """Ten training days, two of holdout, two of label delay: as of 20 May, trained on 7-16 May, held out 17-18 May."""

    def make(**drift: Any) -> ModelSpec:
        given = {"min_rows": 50, "reference_rows": 300, "prediction": None, **drift}
        return make_spec(drift=given, label_delay_days=2, training={"window_days": 10, "holdout_days": 2})

    return make


@pytest.fixture
def log(lake: Lake, traffic: Callable[..., pa.Table]) -> Callable[..., None]:
    def write(spec: ModelSpec, day: date, *, rows: int = 200, **moved: Any) -> None:
        table = traffic(rows, day.toordinal(), **moved)
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        times = [start + k * timedelta(minutes=5) for k in range(rows)]
        columns = {
            "request_id": [f"{day}-{rows}-{k}" for k in range(rows)],
            "event_time": times,
            "received_at": times,
            "variant": ["champion"] * rows,
            "entity": ["u"] * rows,
            **{name: table[name] for name in table.column_names},
        }
        write_records(
            lake, "features", spec.model, pa.table(columns, schema=feature_log_schema(spec)), "event_time"
        )

    return write


def champion(as_of: date) -> Version:
    return Version("3", "run-3", {"ct.as_of": as_of.isoformat()}, NOW)


def keep_reference(lake: Lake, spec: ModelSpec, table: pa.Table) -> None:
    lake.put_table(reference_key(spec.model, "run-3", "reference.parquet"), table.select(list(spec.features)))
    lake.put_table(reference_key(spec.model, "run-3", "scores.parquet"), table.select(["prediction"]))


def test_a_day_after_the_champion_s_is_compared_with_what_the_champion_learned_from(
    lake: Lake, small: Any, log: Any, traffic: Any
) -> None:
    spec = small()
    keep_reference(lake, spec, traffic(2_000, 1))
    log(spec, DAY, amount_factor=4.0)
    judged = Monitor(lake, spec, champion(DAY - ONE_DAY)).judge_day(DAY, evaluated_at=NOW)
    assert (judged.verdict.champion, judged.verdict.hypothetical) == ("3", False)
    assert judged.verdict.reference_rows == judged.reference.features.num_rows == 2_000
    assert judged.current.num_rows == judged.verdict.rows == 200
    assert judged.verdict.outcome is Outcome.DRIFT
    assert judged.reference.description == "sample of the training window of version 3"


def test_a_day_before_the_champion_s_is_compared_with_the_window_a_model_of_that_day_would_have_had(
    lake: Lake, small: Any, log: Any
) -> None:
    spec = small()
    for n in range(1, 21):
        log(spec, date(2024, 5, n))
        compact_day(lake, spec, date(2024, 5, n))
    judged = Monitor(lake, spec, champion(DAY + ONE_DAY)).judge_day(DAY, evaluated_at=NOW)
    assert (judged.verdict.champion, judged.verdict.hypothetical) == (None, True)
    assert (
        judged.reference.description
        == "hypothetical: training window 2024-05-07..2024-05-16 of a model as of 2024-05-20"
    )
    assert judged.verdict.reference_rows == 300, "a sample of its 2,000 rows"
    again = Monitor(lake, spec, None).judge_day(DAY, evaluated_at=NOW)
    assert again.verdict == judged.verdict, "the same rows are drawn every time"


def test_the_newest_mature_days_are_the_reference_where_the_spec_says_recent(
    lake: Lake, small: Any, log: Any, traffic: Any
) -> None:
    spec = small(reference="recent")
    keep_reference(lake, spec, traffic(2_000, 1))
    for n in (17, 18, 20):
        log(spec, date(2024, 5, n))
        compact_day(lake, spec, date(2024, 5, n))
    judged = Monitor(lake, spec, champion(date(2024, 5, 15))).judge_day(DAY, evaluated_at=NOW)
    assert judged.reference.description == "newest mature days 2024-05-17..2024-05-18"
    assert (judged.verdict.reference_rows, judged.verdict.champion) == (400, "3")


def test_without_a_reference_a_day_is_inconclusive_and_never_fine(lake: Lake, small: Any, log: Any) -> None:
    spec = small()
    log(spec, DAY)
    for monitor in (Monitor(lake, spec, None), Monitor(lake, spec, champion(DAY - ONE_DAY))):
        assert monitor.judge_day(DAY, evaluated_at=NOW).verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("window_days", [1, 7])
def test_the_verdict_carries_the_fingerprint_that_the_calendar_sees(
    lake: Lake, small: Any, log: Any, traffic: Any, window_days: int
) -> None:
    spec = small(window_days=window_days)
    keep_reference(lake, spec, traffic(2_000, 1))
    for n in (12, 14, 15, 18, 20):  # the 12th lies before a week's window; days without rows are within it
        log(spec, date(2024, 5, n))
    verdict = Monitor(lake, spec, champion(date(2024, 5, 10))).judge_day(DAY, evaluated_at=NOW).verdict
    assert verdict.fingerprint == window_fingerprint(slots(lake, spec.model, last=DAY, days=window_days))
    assert verdict.rows == (200 if window_days == 1 else 800), "also of days that nobody compacted"


def test_late_rows_of_a_compacted_day_are_in_the_next_verdict(
    lake: Lake, small: Any, log: Any, traffic: Any
) -> None:
    spec = small()
    keep_reference(lake, spec, traffic(2_000, 1))
    log(spec, DAY)
    compact_day(lake, spec, DAY)
    first = Monitor(lake, spec, champion(DAY - ONE_DAY)).judge_day(DAY, evaluated_at=NOW).verdict
    log(spec, DAY, rows=30)
    second = Monitor(lake, spec, champion(DAY - ONE_DAY)).judge_day(DAY, evaluated_at=NOW).verdict
    assert (first.rows, second.rows) == (200, 230)
    assert first.fingerprint != second.fingerprint


def test_a_stored_verdict_is_found_again_and_its_report_beside_it(lake: Lake, small: Any) -> None:
    spec = small()
    verdict = Monitor(lake, spec, None).judge_day(DAY, evaluated_at=NOW).verdict
    store_verdict(lake, verdict, b"<html>")
    assert read_verdict(lake, spec.model, DAY) == verdict
    assert lake.get(report_key(spec.model, DAY)) == b"<html>"
    assert read_verdicts(lake, spec.model, [DAY - ONE_DAY, DAY]) == {DAY: verdict}


def test_a_verdict_that_this_code_cannot_read_counts_as_none_and_is_told(
    lake: Lake, small: Any, caplog: pytest.LogCaptureFixture
) -> None:
    key = verdict_key(small().model, DAY)
    lake.put(key, b'{"model": "shop"}')
    assert read_verdict(lake, "shop", DAY) is None
    assert key in caplog.text
    assert "counts as not judged" in caplog.text
