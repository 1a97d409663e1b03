"""Scores rows with an exported graph, as serving does: ONNX Runtime on the bundle's files, no native model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ct_assets.registry.bundle import MODEL_FILE, BundleError, read_bundle
from ct_assets.training.features import onnx_inputs

__all__ = ["Scorer", "score"]

BATCH_ROWS = 65_536


class Scorer:
    """One graph, opened once."""

    def __init__(self, graph: bytes, numerical: tuple[str, ...], categorical: tuple[str, ...]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # a failed run raises; it need not be printed as well
        options.add_session_config_entry(
            "session.intra_op.allow_spinning", "0"
        )  # the cores are shared with serving
        self.numerical = numerical
        self.categorical = categorical
        self._session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._check_contract()

    @classmethod
    def open(cls, folder: Path) -> Scorer:
        """The graph of a bundle folder, whose digest is checked; raises BundleError."""
        bundle = read_bundle(folder)
        return cls((folder / MODEL_FILE).read_bytes(), tuple(bundle.numerical), tuple(bundle.categorical))

    def __call__(self, table: pa.Table) -> np.ndarray:
        """Probability of the positive class, float64 [rows]; KeyError names a feature that `table` lacks."""
        parts = [
            self.run(self.feed(table.slice(start, BATCH_ROWS)))
            for start in range(0, table.num_rows, BATCH_ROWS)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def feed(self, table: pa.Table) -> dict[str, np.ndarray]:
        """The graph's inputs for `table`'s rows."""
        return onnx_inputs(table, self.numerical, self.categorical)

    def run(self, feed: dict[str, np.ndarray]) -> np.ndarray:
        """Scores of one feed, float64 [rows]."""
        scores = np.asarray(self._session.run(["score"], feed)[0])
        rows = len(next(iter(feed.values())))
        if scores.shape != (rows,):
            raise BundleError(
                f"the graph's output 'score' has shape {scores.shape} for {rows} rows: it must be [rows]"
            )
        return scores.astype(np.float64)

    def _check_contract(self) -> None:
        wanted = {
            name
            for name, columns in (("numerical", self.numerical), ("categorical", self.categorical))
            if columns
        }
        inputs = {item.name for item in self._session.get_inputs()}
        outputs = {item.name: item.type for item in self._session.get_outputs()}
        if inputs != wanted or outputs.get("score") != "tensor(float)":
            raise BundleError(
                f"the graph takes {sorted(inputs)} and gives {outputs}: it must take {sorted(wanted)} and give 'score' as float32 [rows]"
            )


def score(bundle_folder: Path, table: pa.Table) -> np.ndarray:
    """Scores of `table`'s rows (feature-log columns) by the model in `bundle_folder`, float64 [rows]."""
    return Scorer.open(bundle_folder)(table)
