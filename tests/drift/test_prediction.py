from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from ct_assets.drift import Outcome, Reference
from ct_assets.drift.prediction import judge_prediction
from ct_assets.drift.verdict import RuleVerdict
from ct_assets.spec import DriftSpec

Traffic = Callable[..., pa.Table]


def scores(current: pa.Table, reference: Reference, min_rows: int = 500) -> RuleVerdict:
    return judge_prediction(DriftSpec(min_rows=min_rows), 0.20, current, reference)


def test_scores_like_those_of_the_holdout_pass(traffic: Traffic, reference: Reference) -> None:
    found = scores(traffic(1500, 5), reference)
    assert found.outcome is Outcome.PASS
    assert found.value is not None


def test_scores_that_moved_drift(traffic: Traffic, reference: Reference) -> None:
    assert scores(traffic(1500, 5, score_shift=0.05), reference).outcome is Outcome.DRIFT


def test_only_rows_that_the_champion_answered_are_compared(traffic: Traffic, reference: Reference) -> None:
    mixed = pa.concat_tables([traffic(1000, 5), traffic(1000, 6, version="4", score_shift=0.3)])
    assert scores(mixed, reference).value == scores(traffic(1000, 5), reference).value


def test_a_day_that_another_version_answered_is_inconclusive(traffic: Traffic, reference: Reference) -> None:
    mixed = pa.concat_tables([traffic(499, 5), traffic(1001, 6, version="4")])
    found = scores(mixed, reference)
    assert (found.outcome, found.value) == (Outcome.INCONCLUSIVE, None)
    assert found.reason == "version 3 answered 499 of 1,500 rows with a score; 500 are needed"


def test_without_a_champion_there_is_nothing_to_compare(traffic: Traffic, reference: Reference) -> None:
    found = scores(traffic(1500, 5), replace(reference, champion=None))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "no version is champion" in found.reason


@pytest.mark.parametrize(
    "unknown", [None, np.array([]), np.array([np.nan, np.nan])], ids=["none", "empty", "nan"]
)
def test_unknown_holdout_scores_are_inconclusive(
    unknown: np.ndarray | None, traffic: Traffic, reference: Reference
) -> None:
    assert scores(traffic(1500, 5), replace(reference, scores=unknown)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("column", ["prediction", "model_version"])
def test_a_log_without_answers_is_inconclusive(column: str, traffic: Traffic, reference: Reference) -> None:
    found = scores(traffic(1500, 5).drop_columns([column]), reference)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert f"column '{column}' is missing" in found.reason


def test_answers_without_a_score_do_not_count(traffic: Traffic, reference: Reference) -> None:
    rows = traffic(1500, 5)
    silent = rows.set_column(
        rows.column_names.index("prediction"), "prediction", pa.array([None] * 1500, pa.float64())
    )
    assert scores(silent, reference).outcome is Outcome.INCONCLUSIVE
