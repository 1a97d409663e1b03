from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ct_assets.training.features import categories, frame, numbers, onnx_inputs

TABLE = pa.table(
    {"a": [0.1, None, np.inf, -1e300], "n": pa.array([1, 2, None, 4], pa.int64()), "c": ["x", None, "", "y"]}
)


def test_numbers_are_float32_and_what_is_no_number_is_missing() -> None:
    found = numbers(TABLE, ["a", "n"])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, 0], np.array([0.1, np.nan, np.nan, np.nan], np.float32))
    np.testing.assert_array_equal(found[:, 1], np.array([1, 2, np.nan, 4], np.float32))


def test_a_missing_category_is_the_empty_text_even_in_a_dictionary_column() -> None:
    assert categories(TABLE, ["c"]).ravel().tolist() == ["x", "", "", "y"]
    encoded = pa.table({"c": TABLE["c"].dictionary_encode()})
    assert categories(encoded, ["c"]).ravel().tolist() == ["x", "", "", "y"]


def test_native_model_and_graph_are_fed_the_same_values() -> None:
    table, feed = frame(TABLE, ["a", "n"], ["c"]), onnx_inputs(TABLE, ["a", "n"], ["c"])
    assert list(table.columns) == ["a", "n", "c"]
    np.testing.assert_array_equal(table[["a", "n"]].to_numpy(), feed["numerical"])
    assert (table[["c"]].to_numpy() == feed["categorical"]).all()
    assert set(onnx_inputs(TABLE, ["a"], [])) == {"numerical"}


def test_a_missing_column_is_named() -> None:
    with pytest.raises(KeyError, match="feature 'z' is no column"):
        numbers(TABLE, ["z"])
