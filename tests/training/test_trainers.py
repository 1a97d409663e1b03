"""Both trainers, exported and compared with themselves: the contract that serving relies on."""

from __future__ import annotations

import sys
import types

import numpy as np
import onnx
import pyarrow as pa
import pytest

from ct_assets.gate import roc_auc
from ct_assets.training import Scorer, TrainerError
from ct_assets.training.dataset import labels
from ct_assets.training.features import frame
from ct_assets.training.parity import parity, with_hard_rows
from ct_assets.training.trainer import find_trainer, fit

TRAINERS = {"hist_gradient_boosting": {"max_iter": 30}, "gradient_boosting": {"n_estimators": 30}}


def _scorer(spec, fitted) -> Scorer:
    return Scorer(fitted.to_onnx().SerializeToString(), spec.numerical, spec.categorical)


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_graph_answers_as_the_native_model_unknown_and_missing_values_included(
    toys, rows, trainer: str
) -> None:
    """float32 neighbours, NaN, missing and unseen categories: where exports have gone wrong."""
    spec = toys.spec(trainer=trainer, parameters=TRAINERS[trainer])
    dataset = toys.dataset(spec, rows)
    fitted = fit(spec, dataset)
    graph = _scorer(spec, fitted)
    assert parity(fitted, graph, with_hard_rows(spec, dataset.holdout)) <= 1e-6
    assert parity(fitted, graph, with_hard_rows(spec, dataset.train)) <= 1e-6
    assert roc_auc(labels(dataset.holdout), graph(dataset.holdout)) > 0.65


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_graph_keeps_the_bundles_contract(toys, dataset, trainer: str) -> None:
    spec = toys.spec(trainer=trainer, parameters=TRAINERS[trainer])
    graph = fit(spec, dataset).to_onnx()
    onnx.checker.check_model(graph)
    shape = {
        i.name: (i.type.tensor_type.elem_type, i.type.tensor_type.shape.dim[1].dim_value)
        for i in graph.graph.input
    }
    assert shape == {"numerical": (onnx.TensorProto.FLOAT, 2), "categorical": (onnx.TensorProto.STRING, 2)}
    (output,) = graph.graph.output
    assert output.name == "score"
    assert output.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert len(output.type.tensor_type.shape.dim) == 1


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize("kind", ["numerical", "categorical"])
def test_a_model_with_features_of_one_kind_only_has_one_input(toys, rows, trainer: str, kind: str) -> None:
    whole = toys.spec(trainer=trainer, parameters=TRAINERS[trainer])
    features = {name: k for name, k in whole.features.items() if k == kind}
    spec = whole.model_copy(update={"features": features})
    dataset = toys.dataset(spec, rows)
    fitted = fit(spec, dataset)
    graph = fitted.to_onnx()
    assert [i.name for i in graph.graph.input] == [kind]
    assert parity(fitted, _scorer(spec, fitted), dataset.holdout) <= 1e-6


def test_training_twice_gives_the_same_bytes(spec, dataset) -> None:
    first, second = (fit(spec, dataset).to_onnx().SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_a_trainer_never_looks_at_the_holdout(spec, dataset, toys) -> None:
    from dataclasses import replace

    blind = replace(dataset, holdout=dataset.holdout.slice(0, 0))
    assert fit(spec, blind).to_onnx() == fit(spec, dataset).to_onnx()


def test_recency_weights_reach_the_model(toys, rows) -> None:
    even, recent = (toys.spec(recency_half_life_days=half_life) for half_life in (None, 1.0))
    scores = [
        _scorer(s, fit(s, toys.dataset(s, rows)))(toys.dataset(s, rows).holdout) for s in (even, recent)
    ]
    assert np.abs(scores[0] - scores[1]).max() > 0.01


def test_a_row_alone_scores_as_it_does_among_others(spec, dataset) -> None:
    graph = _scorer(spec, fit(spec, dataset))
    together = graph(dataset.holdout.slice(0, 5))
    assert [float(graph(dataset.holdout.slice(k, 1))[0]) for k in range(5)] == together.tolist()
    assert graph(dataset.holdout.slice(0, 0)).shape == (0,)


def test_parameters_that_a_trainer_does_not_have_are_named(toys, dataset) -> None:
    with pytest.raises(TrainerError, match="n_trees"):
        fit(toys.spec(parameters={"n_trees": 3}), dataset)
    with pytest.raises(TrainerError, match="categorical_features"):
        fit(toys.spec(parameters={"categorical_features": [0]}), dataset)


@pytest.fixture
def own_module(monkeypatch):
    module = types.ModuleType("own_trainers")
    monkeypatch.setitem(sys.modules, "own_trainers", module)
    return module


def test_your_own_function_may_return_a_scikit_learn_pipeline(toys, rows, own_module) -> None:
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    def train(spec, dataset):
        assert isinstance(dataset.train, pa.Table)
        filled = frame(dataset.train, spec.numerical, spec.categorical).fillna(0.0)
        encode = make_column_transformer(
            (StandardScaler(), [0, 1]), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), [2, 3])
        )
        return make_pipeline(encode, LogisticRegression()).fit(filled, labels(dataset.train))

    own_module.train = train
    spec = toys.spec(trainer="own_trainers:train")
    dataset = toys.dataset(spec, rows)
    fitted = fit(spec, dataset)
    whole = dataset.holdout.filter(
        np.isfinite(frame(dataset.holdout, spec.numerical, ())).all(axis=1).to_numpy()
    )
    assert parity(fitted, _scorer(spec, fitted), whole) <= 1e-5


def test_your_own_function_may_bring_its_own_graph(toys, dataset, own_module) -> None:
    from onnx import TensorProto, helper

    class Constant:
        def predict_proba(self, frame):
            return np.full((len(frame), 2), 0.5)

        def to_onnx(self):
            inputs = [
                helper.make_tensor_value_info("numerical", TensorProto.FLOAT, [None, 2]),
                helper.make_tensor_value_info("categorical", TensorProto.STRING, [None, 2]),
            ]
            nodes = [
                helper.make_node("Shape", ["numerical"], ["shape"], start=0, end=1),
                helper.make_node(
                    "ConstantOfShape",
                    ["shape"],
                    ["score"],
                    value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.5]),
                ),
            ]
            output = helper.make_tensor_value_info("score", TensorProto.FLOAT, [None])
            graph = helper.make_graph(nodes, "constant", inputs, [output])
            return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    own_module.train = lambda spec, dataset: Constant()
    spec = toys.spec(trainer="own_trainers:train")
    fitted = fit(spec, dataset)
    assert parity(fitted, _scorer(spec, fitted), dataset.holdout) == 0.0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere_at_all:train", "module 'nowhere_at_all' is not installed"),
        ("own_trainers:missing", "'own_trainers' has no function 'missing'"),
        ("own_trainers:number", "'number' is no function"),
    ],
)
def test_a_trainer_that_cannot_be_found_is_explained(own_module, name: str, said: str) -> None:
    own_module.number = 3
    with pytest.raises(TrainerError, match=said):
        find_trainer(name)


def test_a_trainer_that_returns_no_model_is_explained(toys, dataset, own_module) -> None:
    own_module.train = lambda spec, dataset: None
    with pytest.raises(TrainerError, match="returned a NoneType"):
        fit(toys.spec(trainer="own_trainers:train"), dataset)
