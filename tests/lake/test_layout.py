"""Keys: where each kind of object lies, and which day a key belongs to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ct_assets.lake.layout import day_of, day_prefix, hour_prefix, log_prefix, production_key

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-9)), timezone(timedelta(hours=5, minutes=45))])
START = datetime(2000, 1, 1, tzinfo=UTC)
INSTANTS = st.builds(
    lambda seconds, zone: (START + timedelta(seconds=seconds)).astimezone(zone), st.integers(0, 10**9), ZONES
)


@given(INSTANTS)
def test_a_row_lies_in_its_utc_day_whatever_its_zone(at: datetime) -> None:
    prefix = hour_prefix("features", "churn", at)
    day = at.astimezone(UTC).date()
    assert prefix.startswith(day_prefix("features", "churn", day))
    assert prefix.startswith(log_prefix("features", "churn"))
    assert day_of(f"{prefix}0123.parquet") == day


@pytest.mark.parametrize(
    "key", ["", "features/churn/x", "features/churn/2024/13/01/00/x", "production/churn/2024-05-01"]
)
def test_a_key_of_no_log_is_refused_with_the_shape(key: str) -> None:
    with pytest.raises(ValueError, match="is no key of a log"):
        day_of(key)


def test_a_production_day_is_one_object() -> None:
    assert production_key("churn", date(2024, 5, 1)) == "production/churn/2024-05-01.parquet"
