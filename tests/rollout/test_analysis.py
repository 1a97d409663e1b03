"""The sequential test holds its error level however often it is looked at."""

from __future__ import annotations

import random
from math import exp, isclose, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct_assets.rollout.analysis import log_e, log_threshold, upper_rate

counts = st.tuples(st.integers(0, 3000), st.integers(0, 60)).map(lambda c: (c[0] + c[1], c[1]))
limits = st.floats(0.001, 0.4)


@settings(max_examples=60)
@given(counts, limits)
def test_at_the_limit_the_expected_e_value_of_the_next_request_is_todays(
    count: tuple[int, int], limit: float
) -> None:
    """The martingale property, which Ville's inequality needs, checked exactly and not by simulation."""
    n, k = count
    now = log_e(n, k, limit)
    expected = limit * exp(log_e(n + 1, k + 1, limit) - now) + (1 - limit) * exp(log_e(n + 1, k, limit) - now)
    assert isclose(expected, 1.0, rel_tol=1e-9)


@settings(max_examples=60)
@given(counts, limits, st.floats(0, 1))
def test_below_the_limit_it_shrinks_on_average(count: tuple[int, int], limit: float, share: float) -> None:
    n, k = count
    now, rate = log_e(n, k, limit), limit * share
    expected = rate * exp(log_e(n + 1, k + 1, limit) - now) + (1 - rate) * exp(log_e(n + 1, k, limit) - now)
    assert expected <= 1.0 + 1e-9


@settings(max_examples=60)
@given(counts, limits)
def test_a_failure_speaks_against_the_challenger_and_an_answer_for_it(
    count: tuple[int, int], limit: float
) -> None:
    n, k = count
    assert log_e(n + 1, k, limit) < log_e(n, k, limit) < log_e(n + 1, k + 1, limit)


def test_a_good_challenger_watched_for_twenty_thousand_requests_is_hardly_ever_accused() -> None:
    """At the limit itself, alpha = 0.05, looking after every request: at most 5 % of 200 may be accused."""
    rng, accused = random.Random(7), 0
    for _ in range(200):
        n = k = 0
        while n < 20_000:
            gap = int(log(1.0 - rng.random()) / log(0.99)) + 1  # requests up to the next failure
            n, k = n + gap, k + 1
            if log_e(n, k, 0.01) >= log_threshold(0.05):
                accused += 1
                break
    assert accused <= 10 + 6  # 5 % of 200, and two standard deviations of the simulation


def test_five_percent_failures_are_found_after_about_ten_bad_answers() -> None:
    rng, bad = random.Random(3), []
    for _ in range(200):
        n = k = 0
        while log_e(n, k, 0.01) < log_threshold(0.0025):
            n, k = n + 1, k + (rng.random() < 0.05)
        bad.append(k)
    assert sum(bad) / len(bad) < 14


@pytest.mark.parametrize(("n", "k", "limit"), [(1, 2, 0.01), (1, -1, 0.01), (1, 0, 0.0), (1, 0, 1.0)])
def test_impossible_counts_and_limits_are_refused(n: int, k: int, limit: float) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1|counts must satisfy"):
        log_e(n, k, limit)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_upper_rate_lies_above_the_observed_one(n: int, share: float) -> None:
    k = int(n * share)
    assert k / n <= upper_rate(n, k) <= 1.0
