"""Tells broken data from drift: a fault is for whoever owns the pipeline to repair, never for a model to learn.

Each threshold lies far outside what traffic does by itself, so that a fault can block retraining without a second
opinion.
"""

from __future__ import annotations

from ct_assets.drift.columns import Column

__all__ = ["find_fault"]

# Share of missing values above the reference's own. A source that fails loses everything or a path of the traffic
# through it; users who leave a field out move the share by a few points.
MISSING_JUMP = 0.20
# A column whose usual value already fills this much of the reference may well be constant for a day.
NEARLY_CONSTANT = 0.95


def find_fault(current: Column, reference: Column) -> str | None:
    """What is broken about a column with at least one row, in a sentence; None where nothing is.

    Args:
        current: the window's values.
        reference: the reference's, not empty.
    """
    name, missing, usual = current.name, current.missing_share, reference.missing_share
    if not len(current):
        return f"'{name}' holds no usable value in {current.rows:,} rows ({usual:.0%} are missing in the reference)"
    if missing - usual > MISSING_JUMP:
        return f"'{name}' misses {missing:.0%} of its values, and {usual:.0%} in the reference"
    if current.distinct == 1:
        (only,) = current.counts
        share = reference.counts.get(only, 0) / len(reference)
        if reference.distinct > 1 and share < NEARLY_CONSTANT:
            return f"'{name}' is {only!r} in every row, and in {share:.0%} of the reference"
    return None
