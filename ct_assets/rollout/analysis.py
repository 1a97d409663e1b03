"""Is a variant's failure rate over its limit? A test that may be looked at after every request.

A fixed-size test that is repeated every second rejects a good challenger sooner or later. An *e-process*
does not: under "the rate is at most p" it is a non-negative supermartingale that starts at 1, so it ever
reaches 1/alpha with probability at most alpha, however often one looks (Ville 1939, "Étude critique de la
notion de collectif"). The e-process here is Wald's mixture of likelihood ratios (Wald 1945, "Sequential
tests of statistical hypotheses", Ann. Math. Stat. 16) over a small grid of rates above p, so it grows fast
for a challenger that always fails and for one that fails slightly too often. Rates lie in 0..1.
"""

from __future__ import annotations

from math import exp, log, sqrt

__all__ = ["ALPHA", "log_e", "log_threshold", "upper_rate"]

ALPHA = 0.01
"""Chance that a whole rollout of a challenger *within* its limit is rolled back by chance. It is shared out
evenly over the stages (union bound): four stages test at 0.0025 each, a threshold of 400."""

_MULTIPLES = (1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
_TOP = 0.99
_Z99 = 2.5758293035489004  # standard normal quantile of 0.995


def log_e(n: int, k: int, limit: float) -> float:
    """Natural log of the e-value of `k` failures in `n` requests against "the rate is at most `limit`".

    Raises:
        ValueError: unless 0 <= k <= n and 0 < limit < 1.

    Eight failures in 160 requests, 5 % against a limit of 1 %, are proof enough at alpha = 0.01;
    eight in 1,600 speak for the challenger, and nothing seen says nothing:

    >>> log_e(160, 8, 0.01) > log_threshold(0.01)
    True
    >>> log_e(1600, 8, 0.01) < 0
    True
    >>> log_e(0, 0, 0.01)
    0.0

    A challenger that answers nothing at all is out after its second request, even at alpha = 0.0025:

    >>> [log_e(n, n, 0.01) >= log_threshold(0.0025) for n in (1, 2)]
    [False, True]
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} failures of {n} requests: counts must satisfy 0 <= failures <= requests")
    if not 0 < limit < 1:
        raise ValueError(f"error rate limit {limit} must lie between 0 and 1, exclusive")
    if n == 0:
        return 0.0
    terms = [k * log(q / limit) + (n - k) * log((1 - q) / (1 - limit)) for q in _alternatives(limit)]
    largest = max(terms)
    return largest + log(sum(exp(term - largest) for term in terms) / len(terms))


def log_threshold(alpha: float) -> float:
    """Where `log_e` proves a rate over the limit: log(1 / alpha), by Ville's inequality."""
    return -log(alpha)


def upper_rate(n: int, k: int) -> float:
    """Upper end of the 99 % Wilson interval of a rate (Wilson 1927, JASA 22); 1.0 where nothing was seen.

    >>> upper_rate(0, 0), round(upper_rate(100, 5), 3)
    (1.0, 0.139)
    """
    if n == 0:
        return 1.0
    rate, z2 = k / n, _Z99 * _Z99
    spread = _Z99 * sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    return min(1.0, max(rate, (rate + z2 / (2 * n) + spread) / (1 + z2 / n)))  # rounding, at k = n


def _alternatives(limit: float) -> list[float]:
    """Rates above the limit that the mixture weighs alike."""
    top = max(_TOP, (1 + limit) / 2)
    return [m * limit for m in _MULTIPLES if m * limit < top] + [top]
