from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from sklearn.ensemble import HistGradientBoostingClassifier

from ct_assets.registry import BundleError
from ct_assets.training import Scorer
from ct_assets.training.export import SklearnModel, float32_thresholds, plain_attributes


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1e-3, 1.0, 1e7, 3e30]))
def test_neighbouring_float32_values_stay_on_their_side_of_every_split(seed: int, scale: float) -> None:
    """Half of the float64 midpoints of two neighbours round up to the upper one, where it would change sides."""
    rng = np.random.default_rng(seed)
    ladder = np.array([np.float32(scale)] * 40)
    for k in range(1, 40):
        ladder[k] = np.nextafter(ladder[k - 1], np.float32(np.inf))
    steps = rng.integers(0, 40, 600)
    x = ladder[steps].reshape(-1, 1)
    y = (rng.random(600) < 0.2 + 0.6 * (steps % 2)).astype(int)
    model = HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=2, early_stopping=False).fit(x, y)
    before = model.predict_proba(x)[:, 1]
    session = onnxruntime.InferenceSession(SklearnModel(model, 1, 0).to_onnx().SerializeToString())
    assert np.array_equal(model.predict_proba(x)[:, 1], before), "the native model answers as before"
    assert np.abs(session.run(["score"], {"numerical": x})[0] - before).max() < 1e-6


def test_other_estimators_have_no_thresholds_to_move() -> None:
    float32_thresholds(object())


def _boosted() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(max_iter=2).fit(
        np.arange(100.0).reshape(-1, 1), np.arange(100) > 50
    )


def test_no_numpy_number_and_no_boolean_goes_into_an_attribute_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """protobuf 6 warns of a boolean among integers, protobuf 7 refuses it."""
    from skl2onnx.common import _container

    seen: set[type] = set()

    def make_node(*args, **attributes):
        seen.update(type(item) for value in attributes.values() if isinstance(value, list) for item in value)
        return helper.make_node(*args, **attributes)

    monkeypatch.setattr(_container, "make_node", make_node)
    SklearnModel(_boosted(), 1, 0).to_onnx()
    assert int in seen
    assert seen <= {int, float, str, bytes}


def test_skl2onnx_is_left_as_it_was_even_after_an_error() -> None:
    from skl2onnx.common import _container

    original = _container.make_node
    with plain_attributes():
        assert _container.make_node is not original
    assert _container.make_node is original
    with pytest.raises(RuntimeError), plain_attributes():
        raise RuntimeError
    assert _container.make_node is original


def test_a_graph_that_breaks_the_contract_is_refused_when_it_is_opened() -> None:
    graph = SklearnModel(_boosted(), 1, 0).to_onnx().SerializeToString()
    with pytest.raises(BundleError, match=r"must take \['categorical', 'numerical'\]"):
        Scorer(graph, ("a",), ("b",))
