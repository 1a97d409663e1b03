"""Twelve days of 200 rows with a learnable truth, missing numbers and missing categories; one registry for all tests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ct_assets.lake.record import feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.registry import Registry
from ct_assets.spec import ModelSpec
from ct_assets.training import Dataset, TrainingWindow, build_dataset

FIRST = date(2026, 3, 1)
AS_OF = date(2026, 3, 13)  # less a day of delay and 2 of holdout: trains on 1..10 March


def make_spec(**training: object) -> ModelSpec:
    return ModelSpec(
        model="toy",
        entity="user",
        label="bad",
        label_delay_days=1,
        features={"amount": "numerical", "shop": "categorical", "gap": "numerical", "country": "categorical"},
        drift={"reference_rows": 150},
        training={
            "window_days": 10,
            "holdout_days": 2,
            "min_rows": 500,
            "parameters": {"max_iter": 30},
            **training,
        },
    )


def make_rows(days: int = 12, rows_a_day: int = 200, seed: int = 0) -> pa.Table:
    """What `ct_assets.lake.window.labelled` gives, of a model of `make_spec`."""
    rng = np.random.default_rng(seed)
    n = days * rows_a_day
    amount = rng.lognormal(3, 1, n)
    gap = 1e7 + rng.integers(0, 40, n).astype(float)  # neighbours in float32: the hard case of an export
    shop = rng.choice(["food", "fuel", "toys", "rare"], n, p=[0.5, 0.3, 0.19, 0.01])
    country = rng.choice(["de", "fr", "nl"], n)
    risk = -2.5 + 1.2 * (amount > 30) + 2.0 * (shop == "toys") + 1.0 * (gap % 2)
    label = (rng.random(n) < 1 / (1 + np.exp(-risk))).astype(float)
    step = timedelta(days=1) / rows_a_day
    times = [datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + k * step for k in range(n)]
    hidden = rng.random((3, n)) < 0.05
    columns = {
        "request_id": [f"r{k:06d}" for k in range(n)],
        "event_time": times,
        "received_at": times,
        "model_version": ["1"] * n,
        "variant": ["champion"] * n,
        "prediction": pa.nulls(n, pa.float64()),
        "entity": ["u"] * n,
        "amount": pa.array(amount, mask=hidden[0]),
        "shop": pa.array(shop.tolist(), mask=hidden[1]),
        "gap": pa.array(gap, mask=hidden[2]),
        "country": country.tolist(),
    }
    table = pa.table(columns, schema=feature_log_schema(make_spec()))
    labelled_at = pa.array([t + timedelta(days=1) for t in times], pa.timestamp("us", tz="UTC"))
    return table.append_column("label", pa.array(label)).append_column("label_time", labelled_at)


def make_dataset(spec: ModelSpec, rows: pa.Table | None = None) -> Dataset:
    return build_dataset(spec, make_rows() if rows is None else rows, TrainingWindow.of(spec, AS_OF))


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    return make_spec()


@pytest.fixture(scope="session")
def rows() -> pa.Table:
    return make_rows()


@pytest.fixture(scope="session")
def dataset(spec: ModelSpec, rows: pa.Table) -> Dataset:
    return make_dataset(spec, rows)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, spec: ModelSpec) -> Registry:
    """Shared: creating the database takes seconds. A test looks at the versions that it made itself."""
    return Registry(f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}", spec.registered_model)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"file://{tmp_path / 'lake'}")


@pytest.fixture(scope="session")
def toys():
    """The makers above, for tests that need another spec or other rows."""

    class Toys:
        as_of = AS_OF
        spec = staticmethod(make_spec)
        rows = staticmethod(make_rows)
        dataset = staticmethod(make_dataset)

    return Toys
