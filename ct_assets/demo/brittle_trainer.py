"""A trainer with a bug that no offline check finds: good on every holdout, and it fails on a category that is new.

It adds a learned table with one entry a merchant category to the ordinary model. To get the export check
green, its author put the check's own placeholder for "unknown" into the vocabulary, and forgot that real
newcomers have names of their own: they are looked up past the end of the table, and the graph stops with an
error. Valid graph, equal to the native model, golden rows right. Only live traffic can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ct_assets.spec import ModelSpec
from ct_assets.training.dataset import Dataset
from ct_assets.training.hist_gradient_boosting import fit
from ct_assets.training.parity import UNKNOWN
from ct_assets.training.pipeline import known_categories

if TYPE_CHECKING:
    import onnx
    import pandas as pd

__all__ = ["train"]


def train(spec: ModelSpec, dataset: Dataset) -> _WithTable:
    """The default trainer's model behind the table."""
    first_categorical = known_categories(dataset.train, spec.categorical)[0]
    return _WithTable(fit(spec, dataset), ["", UNKNOWN, *first_categorical])


@dataclass(frozen=True)
class _WithTable:
    model: Any
    vocabulary: list[str]

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        return np.asarray(self.model.predict_proba(frame))

    def to_onnx(self) -> onnx.ModelProto:
        from onnx import checker, helper, numpy_helper

        graph = self.model.to_onnx()
        for node in graph.graph.node:  # the model's own score becomes an inner value
            node.output[:] = ["model_score" if name == "score" else name for name in node.output]
        offsets = np.zeros(len(self.vocabulary), dtype=np.float32)
        graph.graph.initializer.extend(
            [
                numpy_helper.from_array(offsets, "category_offsets"),
                numpy_helper.from_array(np.array([0], dtype=np.int64), "first_column"),
                numpy_helper.from_array(np.array([1], dtype=np.int64), "column_axis"),
            ]
        )
        graph.graph.node.extend(
            [
                helper.make_node("Gather", ["categorical", "first_column"], ["category_column"], axis=1),
                helper.make_node(
                    "LabelEncoder",
                    ["category_column"],
                    ["category_code"],
                    domain="ai.onnx.ml",
                    keys_strings=self.vocabulary,
                    values_int64s=list(range(len(self.vocabulary))),
                    default_int64=len(self.vocabulary),  # the bug: one past the end
                ),
                helper.make_node("Gather", ["category_offsets", "category_code"], ["offset_column"], axis=0),
                helper.make_node("Squeeze", ["offset_column", "column_axis"], ["category_offset"]),
                helper.make_node("Add", ["model_score", "category_offset"], ["score"]),
            ]
        )
        checker.check_model(graph)
        return graph
