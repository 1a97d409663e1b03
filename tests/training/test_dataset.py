from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ct_assets.training import NotTrainable
from ct_assets.training.dataset import labels


def test_no_row_of_the_holdout_is_trained_on_and_none_comes_before_it(dataset) -> None:
    assert dataset.train.num_rows == 2_000
    assert dataset.holdout.num_rows == 400
    assert pc.max(dataset.train["event_time"]).as_py() < pc.min(dataset.holdout["event_time"]).as_py()
    ids = dataset.train["request_id"].to_pylist() + dataset.holdout["request_id"].to_pylist()
    assert len(set(ids)) == 2_400


def test_rows_outside_the_window_are_left_out(toys) -> None:
    spec = toys.spec(window_days=3)
    cut = toys.dataset(spec)
    assert cut.train.num_rows == 600
    assert cut.window.train_start == date(2026, 3, 8)


def test_the_order_and_the_chunks_of_the_rows_do_not_change_the_hash(spec, rows, dataset, toys) -> None:
    shuffled = rows.take(pa.array(np.random.default_rng(1).permutation(rows.num_rows)))
    chunked = pa.concat_tables([shuffled.slice(0, 700), shuffled.slice(700)])
    assert toys.dataset(spec, chunked).content_hash == dataset.content_hash


@pytest.mark.parametrize("column", ["amount", "shop", "label", "request_id"])
def test_one_changed_value_changes_the_hash(spec, rows, dataset, toys, column: str) -> None:
    at = rows.schema.get_field_index(column)
    values = rows[column].to_pylist()
    values[700] = {
        "amount": 1.25,
        "shop": "other",
        "label": 1 - values[700] if column == "label" else 0,
        "request_id": "x",
    }[column]
    changed = rows.set_column(at, rows.schema.field(column), pa.array(values, rows.schema.field(column).type))
    assert toys.dataset(spec, changed).content_hash != dataset.content_hash


def test_a_null_is_not_the_same_as_zero_to_the_hash(spec, rows, toys) -> None:
    at = rows.schema.get_field_index("amount")
    hashes = {
        toys.dataset(spec, rows.set_column(at, "amount", pc.fill_null(rows["amount"], fill))).content_hash
        for fill in (0.0, -1.0)
    }
    assert len(hashes | {toys.dataset(spec, rows).content_hash}) == 3


def test_a_day_without_rows_is_named(spec, rows, toys) -> None:
    gone = rows.filter(pc.not_equal(pc.cast(rows["event_time"], pa.date32()), pa.scalar(date(2026, 3, 4))))
    assert toys.dataset(spec, gone).missing_days == (date(2026, 3, 4),)


def test_recency_weights_halve_with_each_half_life_and_average_one(toys) -> None:
    cut = toys.dataset(toys.spec(recency_half_life_days=2))
    a_day = cut.weights.reshape(10, 200)
    assert (a_day == a_day[:, :1]).all()
    assert cut.weights.mean() == pytest.approx(1)
    assert a_day[9, 0] / a_day[7, 0] == pytest.approx(2)
    assert toys.dataset(toys.spec()).weights is None


def _with_label(rows: pa.Table, values: np.ndarray) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index("label"), "label", pa.array(values, pa.float64()))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda rows: rows.slice(0, 0),
            r"training window 2026-03-01\.\.2026-03-10 holds 0 labelled rows, at least 500",
        ),
        (lambda rows: rows.slice(1_600), r"holds 400 labelled rows, at least 500"),
        (lambda rows: rows.slice(0, 2_000), r"holdout 2026-03-11\.\.2026-03-12 holds 0 labelled rows"),
        (lambda rows: _with_label(rows, np.zeros(2_400)), r"training window .* negative labels only"),
        (
            lambda rows: _with_label(rows, np.r_[np.arange(2_000) % 2, np.ones(400)]),
            r"holdout .* positive labels only",
        ),
        (
            lambda rows: _with_label(rows, (np.arange(2_400) % 100 == 0).astype(float)),
            r"holds 20 positive labels, at least 30",
        ),
        (
            lambda rows: _with_label(rows, np.arange(2_400) % 3.0),
            r"'bad' holds 2\.0; a binary label is 0 or 1",
        ),
        (lambda rows: rows.drop_columns(["gap"]), r"column 'gap' is missing"),
        (
            lambda rows: rows.set_column(
                rows.schema.get_field_index("gap"), "gap", pa.nulls(2_400, pa.float64())
            ),
            r"feature 'gap' is null in every row",
        ),
    ],
)
def test_rows_that_cannot_train_a_model_are_refused_with_the_reason(
    spec, rows, toys, change, reason: str
) -> None:
    with pytest.raises(NotTrainable, match=reason) as refused:
        toys.dataset(spec, change(rows))
    assert refused.value.reason == str(refused.value)


def test_a_label_that_is_null_is_refused(spec, rows, toys) -> None:
    values = rows["label"].to_pylist()
    values[3] = None
    with pytest.raises(NotTrainable, match="holds None"):
        toys.dataset(spec, _with_label(rows, values))


def test_labels_are_zeros_and_ones(dataset) -> None:
    assert set(np.unique(labels(dataset.train))) == {0, 1}
    assert (
        timedelta(days=1)
        == dataset.holdout["label_time"][0].as_py() - dataset.holdout["event_time"][0].as_py()
    )
