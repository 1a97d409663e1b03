"""`prediction_drift`: the champion's live scores against those on its own holdout, and no other version's."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ct_assets.drift.columns import Column, UnusableColumn, read_column
from ct_assets.drift.guard import compare, significant
from ct_assets.drift.reference import Reference
from ct_assets.drift.rules import Rule, judge_rule, unjudged
from ct_assets.drift.verdict import Outcome, RuleVerdict
from ct_assets.spec import DriftSpec

__all__ = ["PREDICTION_DRIFT", "judge_prediction"]

PREDICTION_DRIFT = "prediction_drift"


def judge_prediction(
    drift: DriftSpec, threshold: float, current: pa.Table, reference: Reference
) -> RuleVerdict:
    """The verdict on the scores (PSI); inconclusive unless the champion itself answered `min_rows` rows or more.

    Args:
        current: the window, with `model_version` and `prediction`.
        reference: knows the champion and, where it is known, its holdout scores.
    """
    rule = Rule(PREDICTION_DRIFT, None, "psi", threshold)
    if reference.champion is None:
        return unjudged(
            rule, Outcome.INCONCLUSIVE, "no version is champion: there are no scores to compare with"
        )
    if reference.scores is None or not len(reference.scores):
        return unjudged(
            rule, Outcome.INCONCLUSIVE, f"the holdout scores of version {reference.champion} are not known"
        )
    try:
        expected = Column.of(reference.scores, "numerical", "prediction")
        versions = read_column(current, "model_version", "categorical")
        answered = current.filter(pc.equal(current["model_version"].cast(pa.string()), reference.champion))
        scores = read_column(answered, "prediction", "numerical")
    except UnusableColumn as broken:
        return unjudged(rule, Outcome.INCONCLUSIVE, f"the window's answers cannot be read: {broken}")
    if not len(expected):
        return unjudged(
            rule, Outcome.INCONCLUSIVE, f"the holdout scores of version {reference.champion} hold no number"
        )
    if len(scores) < drift.min_rows:
        return unjudged(
            rule,
            Outcome.INCONCLUSIVE,
            f"version {reference.champion} answered {len(scores):,} of {versions.rows:,} rows with a score; "
            f"{drift.min_rows:,} are needed",
        )
    found = compare(expected, scores)
    known = bool(found and significant({PREDICTION_DRIFT: found.p_value}))
    return judge_rule(rule, expected, scores, found, guard=drift.guard, significant=known)
