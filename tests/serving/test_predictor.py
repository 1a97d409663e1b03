from __future__ import annotations

import pytest

from ct_assets.registry import MODEL_FILE, BundleError, Golden
from serving.predictor import ModelFault, Predictor

GOLDEN_ROW = ([[120.5, 14.0]], [["travel"]])


def test_a_bundle_scores_rows_in_the_specs_order(bundles, spec):
    predictor = Predictor.load(bundles.write("good", 0.3), spec)
    rows = [(120.5, "travel", 14.0), (None, "food", None), (0.0, None, 3.0)]
    expected = [bundles.score(0.3, dict(zip(spec.features, row, strict=True))) for row in rows]
    assert predictor.score(rows) == pytest.approx(expected, abs=1e-6)
    assert predictor.score_row(rows[1]) == pytest.approx(expected[1], abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"onnx_sha256": "0" * 64}, "digest"),
        ({"numerical": ["hour_of_day", "transaction_amount"]}, "retrain with this spec"),
        ({"golden": Golden(*GOLDEN_ROW, [0.9])}, "differ by up to"),
        ({"golden": Golden(*GOLDEN_ROW, [float("nan")])}, "bundle.json"),
        ({"golden": Golden([], [], [])}, "missing"),
        ({"golden": Golden([[1.0]], [["travel"]], [0.5])}, "one value a feature"),
        ({"golden": Golden(*GOLDEN_ROW, [0.5, 0.5])}, "one score a row"),
    ],
)
def test_a_bundle_that_cannot_be_proven_is_refused_with_the_reason(bundles, spec, changes, says):
    with pytest.raises(BundleError, match=says):
        Predictor.load(bundles.write("bad", 0.3, **changes), spec)


def test_golden_rows_may_differ_by_float_rounding_only(bundles, spec):
    score = bundles.score(0.3)
    Predictor.load(bundles.write("near", 0.3, golden=Golden(*GOLDEN_ROW, [score + 0.9e-5])), spec)
    with pytest.raises(BundleError, match="allowed 1e-05"):
        Predictor.load(bundles.write("far", 0.3, golden=Golden(*GOLDEN_ROW, [score + 1.2e-5])), spec)


def test_a_file_that_is_no_graph_is_refused(bundles, spec):
    with pytest.raises(BundleError, match="ONNX Runtime refuses it"):
        Predictor.load(bundles.write("pickle", body=b"\x80\x04cos\nsystem\n"), spec)


def test_a_graph_with_other_outputs_is_refused(bundles, spec):
    with pytest.raises(BundleError, match=r"expected .* 'score'"):
        Predictor.load(bundles.write("probability", 0.3, body=bundles.graph(0.3, output="probability")), spec)


def test_a_missing_graph_is_named(bundles, spec):
    folder = bundles.write("empty")
    (folder / MODEL_FILE).unlink()
    with pytest.raises(BundleError, match="missing from the model's artifacts"):
        Predictor.load(folder, spec)


def test_a_row_on_which_the_graph_fails_is_the_models_fault(bundles, spec):
    predictor = Predictor.load(bundles.write("fragile", 0.3, body=bundles.graph(0.3, fragile=True)), spec)
    with pytest.raises(ModelFault, match="out of data bounds"):
        predictor.score_row((1.0, "travel", 24.0))
    assert predictor.score_row((1.0, "travel", 23.0)) > 0.5


def test_a_score_that_is_no_number_is_the_models_fault(bundles, spec):
    predictor = Predictor.load(bundles.write("wild", 0.3), spec)
    # inf * 0 in the graph: only possible past the contract, which admits no infinity.
    with pytest.raises(ModelFault, match="nan"):
        predictor.score_row((1.0, "travel", float("inf")))
