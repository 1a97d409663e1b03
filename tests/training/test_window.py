from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ct_assets.spec import ModelSpec
from ct_assets.training import TrainingWindow


def _spec(window: int, holdout: int, delay: int) -> ModelSpec:
    return ModelSpec(
        model="m",
        entity="user",
        label="bad",
        label_delay_days=delay,
        features={"amount": "numerical"},
        training={"window_days": window, "holdout_days": holdout},
    )


@settings(max_examples=50, deadline=None)
@given(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 120), st.integers(1, 10), st.integers(0, 30)
)
def test_the_parts_join_without_gap_or_overlap_and_end_at_the_newest_mature_day(
    as_of: date, window: int, holdout: int, delay: int
) -> None:
    w = TrainingWindow.of(_spec(window, holdout, delay), as_of)
    assert w.holdout_end == as_of - timedelta(days=delay)
    assert len(w.train_days()) == window
    assert len(w.holdout_days()) == holdout
    assert w.train_days() + w.holdout_days() == w.days()
    assert len(set(w.days())) == window + holdout
    assert w.train_bounds()[1] == w.holdout_bounds()[0]


def test_the_bounds_are_whole_utc_days() -> None:
    w = TrainingWindow.of(_spec(10, 2, 1), date(2026, 3, 13))
    assert w.train_bounds() == (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 11, tzinfo=UTC))
    assert w.holdout_bounds() == (datetime(2026, 3, 11, tzinfo=UTC), datetime(2026, 3, 13, tzinfo=UTC))


def test_without_label_delay_the_as_of_day_itself_is_in_the_holdout() -> None:
    assert TrainingWindow.of(_spec(5, 1, 0), date(2026, 3, 13)).holdout_days() == [date(2026, 3, 13)]
