"""How many labels a training would find, what it would lack, and when that ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct_assets.lake.layout import production_key
from ct_assets.lake.log import write_records
from ct_assets.lake.record import LABEL_LOG, feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.spec import ModelSpec
from ct_assets.training import NotTrainable, TrainingWindow, build_dataset
from ct_assets.training.sufficiency import label_sufficiency

AS_OF = date(2026, 3, 13)
"""Less a day of delay and two of holdout: trains on 1-10 March, holds out 11-12 March."""
DAY = timedelta(days=1)


def make_spec(**training: Any) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "model": "toy",
            "entity": "user",
            "label": "bad",
            "label_delay_days": 1,
            "features": {"x": "numerical"},
            "training": {
                "window_days": 10,
                "holdout_days": 2,
                "min_rows": 100,
                "min_positives": 4,
                **training,
            },
        }
    )


def log_day(
    lake: Lake, day: date, *, rows: int, positives: int, labelled: int | None = None, late: timedelta = DAY
) -> pa.Table:
    """A compacted day, and the labels of its first `labelled` rows, known `late` after the event."""
    spec = make_spec()
    times = [datetime(day.year, day.month, day.day, 12, tzinfo=UTC)] * rows
    logged = {
        "request_id": [f"{day}-{k}" for k in range(rows)],
        "event_time": times,
        "received_at": times,
        "model_version": ["1"] * rows,
        "variant": ["champion"] * rows,
        "prediction": [0.5] * rows,
        "entity": ["u"] * rows,
        "x": [float(k) for k in range(rows)],
    }
    table = pa.table(logged, schema=feature_log_schema(spec))
    lake.put_table(production_key("toy", day), table)
    known = range(rows if labelled is None else labelled)
    labels = {
        "request_id": [f"{day}-{k}" for k in known],
        "label": [float(k < positives) for k in known],
        "label_time": [times[k] + late for k in known],
        "received_at": [times[k] + late for k in known],
    }
    write_records(lake, "labels", "toy", pa.table(labels, schema=LABEL_LOG), "label_time")
    return table


def log_days(lake: Lake, first: date, last: date, **day: Any) -> None:
    for n in range((last - first).days + 1):
        log_day(lake, first + n * DAY, **day)


def test_rows_and_positives_of_the_training_window_are_counted(lake: Lake) -> None:
    log_days(lake, date(2026, 2, 20), AS_OF, rows=20, positives=3)
    found = label_sufficiency(make_spec(), lake, AS_OF)
    assert (found.rows_mature, found.positives, found.sufficient, found.lack) == (200, 30, True, "")
    assert (found.needed_rows, found.needed_positives) == (100, 4)


def test_a_row_without_its_label_does_not_count_nor_one_whose_label_comes_later(lake: Lake) -> None:
    log_days(lake, date(2026, 3, 1), date(2026, 3, 12), rows=20, positives=3, labelled=15)
    log_day(lake, date(2026, 3, 5), rows=20, positives=3, late=30 * DAY)
    found = label_sufficiency(make_spec(), lake, AS_OF)
    assert found.rows_mature == 9 * 15 + 15, "the 5th: those of its first labels"


def test_short_rows_name_the_first_day_that_has_enough(lake: Lake) -> None:
    """Traffic began on 6 March: as of the 13th five days count, as of the 15th seven."""
    log_days(lake, date(2026, 3, 6), AS_OF, rows=20, positives=3)
    found = label_sufficiency(make_spec(min_rows=140), lake, AS_OF)
    assert (found.rows_mature, found.sufficient) == (100, False)
    assert found.sufficient_from == date(2026, 3, 15)


def test_rows_that_nobody_logged_yet_promise_nothing(lake: Lake) -> None:
    log_days(lake, date(2026, 3, 6), AS_OF, rows=20, positives=3)
    assert label_sufficiency(make_spec(min_rows=10_000), lake, AS_OF).sufficient_from is None


def test_a_lack_of_positives_has_no_date(lake: Lake) -> None:
    log_days(lake, date(2026, 3, 1), AS_OF, rows=5, positives=0)
    found = label_sufficiency(make_spec(), lake, AS_OF)
    assert (found.positives, found.sufficient, found.sufficient_from) == (0, False, None)
    assert (
        found.lack == "the training window 2026-03-01..2026-03-10 holds 0 positive labels, and 4 are needed"
    )


def test_a_holdout_short_of_a_class_is_not_enough(lake: Lake) -> None:
    log_days(lake, date(2026, 3, 1), date(2026, 3, 10), rows=20, positives=3)
    log_days(lake, date(2026, 3, 11), date(2026, 3, 12), rows=20, positives=1)
    found = label_sufficiency(make_spec(), lake, AS_OF)
    assert not found.sufficient
    assert found.lack == "the holdout 2026-03-11..2026-03-12 holds 2 positive labels, and 4 are needed"


def test_an_empty_lake_has_nothing(lake: Lake) -> None:
    found = label_sufficiency(make_spec(), lake, AS_OF)
    assert (found.rows_mature, found.positives, found.sufficient, found.sufficient_from) == (
        0,
        0,
        False,
        None,
    )


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 24), st.integers(0, 3), st.integers(0, 24)), min_size=12, max_size=12),
)
def test_sufficient_means_that_a_training_would_take_place(
    tmp_path_factory: pytest.TempPathFactory, days: list[tuple[int, int, int]]
) -> None:
    from ct_assets.lake.window import labelled

    lake, spec = Lake(f"file://{tmp_path_factory.mktemp('lake')}"), make_spec()
    for n, (rows, positives, known) in enumerate(days):
        log_day(lake, date(2026, 3, 1) + n * DAY, rows=rows, positives=positives, labelled=min(known, rows))
    window = TrainingWindow.of(spec, AS_OF)
    rows = labelled(lake, spec, first=window.train_start, last=window.holdout_end, as_of=AS_OF)
    try:
        build_dataset(spec, rows, window)
        trainable = True
    except NotTrainable:
        trainable = False
    assert label_sufficiency(spec, lake, AS_OF).sufficient == trainable
