"""A small model with one rule of each kind, and traffic for it: stationary unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ct_assets.drift import DriftVerdict, Reference, judge
from ct_assets.spec import ModelSpec

DAY = date(2024, 5, 1)
RULES = (
    {"feature": "amount", "method": "psi", "threshold": 0.20},
    {"feature": "category", "method": "chisquare", "threshold": 0.05},
    {"feature": "hour", "method": "ks", "threshold": 0.01},
)


@pytest.fixture
def make_spec() -> Callable[..., ModelSpec]:
    def make(*, drift: dict[str, Any] | None = None, **over: Any) -> ModelSpec:
        features = {"amount": "numerical", "category": "categorical", "hour": "numerical", "age": "numerical"}
        attributes = {"model": "shop", "entity": "user", "label": "bought", "features": features} | over
        return ModelSpec.model_validate(attributes | {"drift": {"rules": RULES} | (drift or {})})

    return make


@pytest.fixture
def spec(make_spec: Callable[..., ModelSpec]) -> ModelSpec:
    return make_spec()


@pytest.fixture
def traffic() -> Callable[..., pa.Table]:
    """Rows of the feature log; `amount_factor`, `shares` and `hours` move a column, `version` answers."""

    def draw(
        rows: int,
        seed: int,
        *,
        amount_factor: float = 1.0,
        shares: tuple[float, ...] = (0.5, 0.3, 0.2),
        hours: float = 12.0,
        score_shift: float = 0.0,
        version: str = "3",
    ) -> pa.Table:
        rng = np.random.default_rng(seed)
        return pa.table(
            {
                "amount": amount_factor * rng.gamma(4.0, 15.0, rows),
                "category": rng.choice(["food", "fuel", "travel"][: len(shares)], rows, p=shares),
                "hour": np.floor(np.mod(rng.normal(hours, 5, rows), 24)),
                "age": rng.exponential(300.0, rows),
                "model_version": [version] * rows,
                "prediction": np.clip(rng.beta(1, 20, rows) + score_shift, 0, 1),
            }
        )

    return draw


@pytest.fixture
def reference(traffic: Callable[..., pa.Table]) -> Reference:
    usual = traffic(8000, 1)
    scores = usual["prediction"].to_numpy()[:4000]
    return Reference(
        usual.drop_columns(["model_version", "prediction"]), scores, "3", False, "sample of version 3"
    )


@pytest.fixture
def judged(spec: ModelSpec, reference: Reference) -> Callable[..., DriftVerdict]:
    """`judge` with everything but the rows given."""

    def run(current: pa.Table, **over: Any) -> DriftVerdict:
        given: dict[str, Any] = {
            "day": DAY,
            "reference": reference,
            "fingerprint": "f1",
            "evaluated_at": datetime(2024, 5, 2, 6, tzinfo=UTC),
        }
        given |= over
        return judge(given.pop("spec", spec), current=current, **given)

    return run


def replaced(table: pa.Table, name: str, values: Any) -> pa.Table:
    """`table` with one column exchanged."""
    return table.set_column(table.column_names.index(name), name, pa.array(values))


@pytest.fixture
def replace_column() -> Callable[[pa.Table, str, Any], pa.Table]:
    return replaced
