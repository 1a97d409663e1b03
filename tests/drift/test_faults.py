from __future__ import annotations

from ct_assets.drift.columns import Column
from ct_assets.drift.faults import find_fault


def numbers(*values: float | None) -> Column:
    return Column.of(values, "numerical", "amount")


USUAL = numbers(*[float(n % 50) for n in range(1000)])


def test_a_column_like_the_reference_has_no_fault() -> None:
    assert find_fault(numbers(*[float(n % 50) for n in range(200)]), USUAL) is None


def test_a_column_without_any_value_is_a_fault() -> None:
    assert find_fault(numbers(None, None, float("inf")), USUAL) == (
        "'amount' holds no usable value in 3 rows (0% are missing in the reference)"
    )


def test_a_jump_of_the_missing_share_is_a_fault_and_the_usual_share_is_none() -> None:
    holes = [None if n % 4 == 0 else float(n % 50) for n in range(1000)]
    assert find_fault(numbers(*holes), USUAL) == "'amount' misses 25% of its values, and 0% in the reference"
    assert find_fault(numbers(*holes), numbers(*holes)) is None


def test_infinities_count_as_missing() -> None:
    broken = [float("inf") if n % 4 == 0 else float(n % 50) for n in range(1000)]
    assert find_fault(numbers(*broken), USUAL) is not None


def test_a_jump_of_exactly_the_limit_is_left_to_the_drift_methods() -> None:
    assert find_fault(numbers(*[None if n % 5 == 0 else float(n % 50) for n in range(1000)]), USUAL) is None


def test_a_constant_is_a_fault_where_the_reference_varies() -> None:
    said = find_fault(numbers(*[0.0] * 100), USUAL)
    assert said == "'amount' is 0.0 in every row, and in 2% of the reference"
    assert (
        find_fault(Column.of(["a"] * 9, "categorical"), Column.of(["a", "b"] * 9, "categorical")) is not None
    )


def test_a_flag_that_is_nearly_always_off_may_be_off_for_a_day() -> None:
    assert find_fault(numbers(*[0.0] * 100), numbers(*[0.0] * 96, 1.0, 1.0, 1.0, 1.0)) is None


def test_a_constant_that_always_was_one_is_no_fault() -> None:
    assert find_fault(numbers(1.0, 1.0), numbers(1.0, 1.0, 1.0)) is None
    assert (
        find_fault(numbers(2.0, 2.0), numbers(1.0, 1.0, 1.0)) is None
    )  # a change, which the drift methods see
