"""What is measured of a candidate: metrics, importance, picture, reference."""

from __future__ import annotations

import numpy as np
import pytest

from ct_assets.lake.layout import reference_key
from ct_assets.training import Scorer
from ct_assets.training.dataset import labels
from ct_assets.training.importance import permutation_importance
from ct_assets.training.metrics import holdout_metrics
from ct_assets.training.model_folder import GOLDEN_ROWS, golden_rows
from ct_assets.training.plots import _groups, plot_holdout
from ct_assets.training.reference import sample_rows, write_reference
from ct_assets.training.trainer import fit


@pytest.fixture(scope="module")
def graph(spec, dataset) -> Scorer:
    return Scorer(fit(spec, dataset).to_onnx().SerializeToString(), spec.numerical, spec.categorical)


def test_features_that_carry_the_truth_matter_and_noise_does_not(graph, dataset) -> None:
    found = permutation_importance(graph, dataset.train, labels(dataset.train), seed=1)
    assert next(iter(found)) == "shop"
    assert found["shop"] > found["amount"] > 0.02
    assert found["country"] < 0.02
    assert found == permutation_importance(graph, dataset.train, labels(dataset.train), seed=1)


def test_importance_of_one_class_is_refused(graph, dataset) -> None:
    with pytest.raises(ValueError, match="both classes"):
        permutation_importance(graph, dataset.holdout, np.zeros(400), seed=1)


def test_metrics_of_a_perfect_and_of_a_doubled_score() -> None:
    truth = (np.arange(1_000) % 10 == 0).astype(np.int8)
    perfect = holdout_metrics(truth, truth * 0.98 + 0.01)
    assert (perfect["roc_auc"], perfect["average_precision"], perfect["precision_top_1pct"]) == (
        1.0,
        1.0,
        1.0,
    )
    assert holdout_metrics(truth, np.full(1_000, 0.2))["calibration_ratio"] == pytest.approx(2.0)
    assert perfect["positive_rate"] == pytest.approx(0.1)


def test_the_picture_is_written_even_with_fewer_positives_than_groups(tmp_path) -> None:
    truth = np.zeros(500, np.int8)
    truth[[3, 400]] = 1
    plot_holdout(tmp_path / "p.png", truth, np.linspace(0, 1, 500), title="t")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_calibration_groups_hold_every_row_once_and_a_tenth_of_the_positives_each() -> None:
    rng = np.random.default_rng(0)
    truth, scores = (rng.random(5_000) < 0.04).astype(np.int8), rng.random(5_000)
    groups = _groups(truth, scores)
    assert sorted(np.concatenate(groups)) == list(range(5_000))
    assert len(groups) == 10
    assert max(truth[g].sum() for g in groups) - min(truth[g].sum() for g in groups) <= 1


def test_golden_rows_are_real_rows_over_the_whole_range_of_scores(graph, dataset) -> None:
    golden = golden_rows(graph, dataset.holdout)
    scores = graph(dataset.holdout)
    assert len(golden.scores) == len(golden.numerical) == len(golden.categorical) == GOLDEN_ROWS
    assert (golden.scores[0], golden.scores[-1]) == (scores.min(), scores.max())
    again = graph.run(
        {
            "numerical": np.array(
                [[np.nan if v is None else v for v in row] for row in golden.numerical], np.float32
            ),
            "categorical": np.array([[v or "" for v in row] for row in golden.categorical], object),
        }
    )
    assert np.abs(again - golden.scores).max() <= 1e-6


def test_a_small_holdout_gives_fewer_golden_rows_not_the_same_twice(graph, dataset) -> None:
    assert len(golden_rows(graph, dataset.holdout.slice(0, 3)).scores) == 3


def test_the_reference_is_a_seeded_sample_of_training_rows_in_their_order(spec, dataset, lake) -> None:
    scores = np.linspace(0, 1, 400)
    write_reference(spec, lake, "run", dataset.train, scores)
    kept = lake.read_table(reference_key("toy", "run", "reference.parquet"))
    assert kept.column_names == ["event_time", "amount", "shop", "gap", "country"]
    assert kept.num_rows == spec.drift.reference_rows == 150
    assert kept["event_time"].to_pylist() == sorted(kept["event_time"].to_pylist())
    assert set(kept["event_time"].to_pylist()) <= set(dataset.train["event_time"].to_pylist())
    assert (
        lake.read_table(reference_key("toy", "run", "scores.parquet"))["prediction"].to_pylist()
        == scores.tolist()
    )
    assert sample_rows(dataset.train, 150, seed=1) != sample_rows(dataset.train, 150, seed=2)
    assert sample_rows(dataset.train, 9_999, seed=1) is dataset.train
