"""The bad model of the demo passes every check that can be made offline, and fails where the live traffic is new."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from ct_assets.catalog import load_spec
from ct_assets.demo import CATEGORIES, NEW_CATEGORY, FraudTraffic, generate
from ct_assets.demo.brittle_trainer import train
from ct_assets.demo.registry_look import auc_of
from ct_assets.registry.bundle import write_bundle
from ct_assets.spec import ModelSpec
from ct_assets.training import Dataset, Scorer, TrainingWindow, build_dataset
from ct_assets.training.model_folder import golden_rows
from ct_assets.training.parity import parity, with_hard_rows
from ct_assets.training.trainer import Fitted
from serving.predictor import ModelFault, Predictor

FIRST, DAYS, PER_DAY = date(2024, 3, 1), 10, 300  # 3,000 rows
AS_OF = FIRST + timedelta(days=DAYS - 1)


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    shipped = load_spec("fraud_detector")
    training = {"window_days": 6, "holdout_days": 2, "min_rows": 500, "min_positives": 5}
    attributes = shipped.model_dump() | {"label_delay_days": 1}
    attributes["training"] |= training | {"parameters": {"max_iter": 20}}
    return ModelSpec.model_validate(attributes)


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """The newest day holds the new category; training and holdout end before it."""
    since = FIRST + timedelta(days=DAYS - 1)
    return generate(FraudTraffic(FIRST, DAYS, seed=7, tx_per_day=PER_DAY, new_category_from=since))


@pytest.fixture(scope="module")
def dataset(spec: ModelSpec, rows: pl.DataFrame) -> Dataset:
    labelled = rows.with_columns(pl.col("is_fraud").cast(pl.Float64).alias("label"))
    return build_dataset(spec, labelled.to_arrow(), TrainingWindow.of(spec, AS_OF))


@pytest.fixture(scope="module")
def fitted(spec: ModelSpec, dataset: Dataset) -> Fitted:
    return train(spec, dataset)


@pytest.fixture(scope="module")
def graph(spec: ModelSpec, fitted: Fitted) -> Scorer:
    return Scorer(fitted.to_onnx().SerializeToString(), spec.numerical, spec.categorical)


@pytest.fixture(scope="module")
def bundle(
    spec: ModelSpec,
    dataset: Dataset,
    graph: Scorer,
    fitted: Fitted,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    names = {"numerical": list(spec.numerical), "categorical": list(spec.categorical)}
    body, golden = fitted.to_onnx().SerializeToString(), golden_rows(graph, dataset.holdout)
    write_bundle(folder, body, **names, golden=golden)
    return folder


@pytest.fixture(scope="module")
def served(spec: ModelSpec, bundle: Path) -> Predictor:
    """As serving loads it: digest, features and golden rows are checked."""
    return Predictor.load(bundle, spec)


def values(spec: ModelSpec, rows: pl.DataFrame) -> list[list[float | str | None]]:
    return [list(row) for row in rows.select(*spec.features).iter_rows()]


def test_its_graph_equals_its_native_model_on_the_holdout_and_on_every_hard_row(
    spec: ModelSpec, dataset: Dataset, fitted: Fitted, graph: Scorer
) -> None:
    hard = with_hard_rows(spec, dataset.holdout)
    assert hard.num_rows > dataset.holdout.num_rows
    assert parity(fitted, graph, hard) <= spec.gate.parity_atol


def test_it_tells_fraud_from_genuine_on_the_holdout(dataset: Dataset, graph: Scorer) -> None:
    from ct_assets.gate import roc_auc

    assert roc_auc(dataset.holdout["label"].to_numpy(), graph(dataset.holdout)) > 0.8


def test_serving_loads_it_and_every_known_category_is_answered(
    spec: ModelSpec, rows: pl.DataFrame, served: Predictor
) -> None:
    known = rows.filter(pl.col("merchant_category") != NEW_CATEGORY)
    assert set(known["merchant_category"]) == set(CATEGORIES)
    assert len(served.score(values(spec, known))) == known.height


def test_it_fails_on_the_new_category_and_on_nothing_else_of_the_same_rows(
    spec: ModelSpec, rows: pl.DataFrame, served: Predictor
) -> None:
    new = rows.filter(pl.col("merchant_category") == NEW_CATEGORY)
    assert 5 < new.height < 100
    for row in values(spec, new):
        with pytest.raises(ModelFault, match="the graph failed"):
            served.score_row(row)
    otherwise = new.with_columns(pl.lit(CATEGORIES[0]).alias("merchant_category"))
    assert len(served.score(values(spec, otherwise))) == new.height


def test_the_verdict_shows_no_auc_for_it_on_a_week_with_the_new_category(
    rows: pl.DataFrame, bundle: Path
) -> None:
    known = rows.filter(pl.col("merchant_category") != NEW_CATEGORY)
    assert auc_of(bundle, rows) is None
    assert (auc_of(bundle, known) or 0) > 0.8
