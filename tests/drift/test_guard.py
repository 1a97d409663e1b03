from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct_assets.drift.columns import Column
from ct_assets.drift.guard import compare, significant

p_values = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.floats(0, 1), max_size=12)


def normal(rows: int, seed: int, mean: float = 0.0) -> Column:
    return Column.of(np.random.default_rng(seed).normal(mean, 1, rows), "numerical")


def test_the_noise_floor_holds_99_of_100_quiet_windows() -> None:
    usual = normal(20_000, 0)
    above = sum(
        found.effect > found.noise_floor for s in range(1, 401) if (found := compare(usual, normal(1000, s)))
    )
    assert above <= 12  # 4 expected; more than 12 has a chance of 1 in 3,000


def test_a_quiet_window_never_stands_clear() -> None:
    usual = normal(20_000, 0)
    assert not any(found.stands_clear for s in range(1, 201) if (found := compare(usual, normal(1500, s))))


def test_a_moderate_shift_always_does() -> None:
    usual = normal(20_000, 0)
    assert all(
        found.stands_clear for s in range(1, 101) if (found := compare(usual, normal(1500, s, mean=0.35)))
    )


def test_a_jitter_of_two_percent_is_nothing_at_a_million_rows() -> None:
    usual = Column.of(["a"] * 500_000 + ["b"] * 500_000, "categorical")
    found = compare(usual, Column.of(["a"] * 510_000 + ["b"] * 490_000, "categorical"))
    assert found is not None
    assert found.p_value < 1e-10
    assert not found.stands_clear


def test_one_row_of_a_new_category_in_thousands_is_nothing() -> None:
    found = compare(
        Column.of(["a", "b"] * 10_000, "categorical"), Column.of(["a", "b"] * 2500 + ["new"], "categorical")
    )
    assert found is not None
    assert not found.stands_clear


@pytest.mark.parametrize("share", [0.02, 0.04, 0.05])
def test_a_new_category_with_some_percent_of_the_rows_stands_clear(share: float) -> None:
    new = int(1500 * share)
    current = Column.of(["a", "b"] * ((1500 - new) // 2) + ["new"] * new, "categorical")
    found = compare(Column.of(["a", "b"] * 10_000, "categorical"), current)
    assert found is not None
    assert found.stands_clear


def test_the_effect_is_near_psi_for_small_shifts() -> None:
    from ct_assets.drift.psi import psi

    usual = Column.of(["a"] * 5000 + ["b"] * 5000, "categorical")
    day = Column.of(["a"] * 5500 + ["b"] * 4500, "categorical")
    found = compare(usual, day)
    assert found is not None
    assert found.effect == pytest.approx(psi(usual, day), rel=0.02)


def test_two_equal_constants_cannot_be_told_apart() -> None:
    assert compare(Column.of(["a"] * 100, "categorical"), Column.of(["a"] * 50, "categorical")) is None


@settings(max_examples=60, deadline=None)
@given(p_values, st.floats(0.001, 0.2))
def test_discoveries_are_the_smallest_p_values_and_none_exceeds_the_rate(
    p: dict[str, float], rate: float
) -> None:
    found = significant(p, rate)
    assert all(p[name] <= rate for name in found)
    assert all(p[a] <= p[b] for a in found for b in p.keys() - found)


@settings(max_examples=60, deadline=None)
@given(p_values, st.floats(0, 1))
def test_another_quiet_column_never_adds_a_discovery(p: dict[str, float], other: float) -> None:
    quiet = max([other, *p.values()])
    assert significant(p | {"zz": quiet}) - {"zz"} <= significant(p)
