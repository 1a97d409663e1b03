"""Scores rows with a bundle's ONNX graph: probability of the positive class, float32 in, 0..1 out.

Only ONNX is ever loaded, after its digest was checked, and it serves only once it has reproduced the
bundle's golden rows. It is loaded from bytes, which refuses graphs with weights in further files: no
digest covers those. One thread a call: a row takes tens of microseconds, and a pool of spinning threads
would take the cores from the event loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ct_assets.registry.bundle import MODEL_FILE, BundleError, Golden, read_bundle
from ct_assets.spec import ModelSpec

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["GOLDEN_ATOL", "ModelFault", "Predictor"]

GOLDEN_ATOL = 1e-5
Value = float | str | None
Scores = npt.NDArray[np.float32]


class ModelFault(RuntimeError):
    """The graph failed on a row that was valid: the model's fault, not the client's."""


class Predictor:
    """One loaded graph; safe to share between threads."""

    def __init__(self, session: InferenceSession, spec: ModelSpec) -> None:
        """`session`: a graph with the inputs and the output of the bundle contract; raises BundleError."""
        self._session = session
        self._numerical = [i for i, kind in enumerate(spec.features.values()) if kind == "numerical"]
        self._categorical = [i for i, kind in enumerate(spec.features.values()) if kind == "categorical"]
        wanted = {
            name for name, at in (("numerical", self._numerical), ("categorical", self._categorical)) if at
        }
        inputs = {node.name for node in session.get_inputs()}
        outputs = {node.name for node in session.get_outputs()}
        if inputs != wanted or "score" not in outputs:
            raise BundleError(
                f"{MODEL_FILE}: has inputs {sorted(inputs)} and outputs {sorted(outputs)}; "
                f"expected {sorted(wanted)} and 'score': export it again"
            )

    @classmethod
    def load(cls, folder: Path, spec: ModelSpec) -> Predictor:
        """The predictor of a bundle folder after digest, features and golden rows were checked; raises BundleError."""
        bundle = read_bundle(folder)
        if (tuple(bundle.numerical), tuple(bundle.categorical)) != (spec.numerical, spec.categorical):
            raise BundleError(
                f"{folder.name}: made for features {[*bundle.numerical, *bundle.categorical]}, "
                f"but the spec has {[*spec.numerical, *spec.categorical]}: retrain with this spec"
            )
        predictor = cls(_session(folder), spec)
        predictor.verify(bundle.golden)
        return predictor

    def score(self, rows: Sequence[Sequence[Value]]) -> Scores:
        """Scores [rows] of rows of values in the spec's feature order; raises ModelFault."""
        feed: dict[str, npt.NDArray[np.generic]] = {}
        if self._numerical:
            numbers = [[math.nan if row[i] is None else row[i] for i in self._numerical] for row in rows]
            feed["numerical"] = np.array(numbers, dtype=np.float32)
        if self._categorical:
            texts = [["" if row[i] is None else row[i] for i in self._categorical] for row in rows]
            feed["categorical"] = np.array(texts, dtype=object)
        try:
            (scores,) = self._session.run(["score"], feed)
        except Exception as error:  # noqa: BLE001  ONNX Runtime raises a class a status code, some of them bare
            raise ModelFault(
                f"the graph failed: {str(error).strip().splitlines()[0][:300] if str(error) else error!r}"
            ) from None
        if scores.shape != (len(rows),):
            raise ModelFault(f"the graph gave scores of shape {scores.shape} for {len(rows)} rows")
        return scores  # type: ignore[no-any-return]

    def score_row(self, row: Sequence[Value]) -> float:
        """The score of one row; raises ModelFault, also for a score that is no number."""
        score = float(self.score((row,))[0])
        if not math.isfinite(score):
            raise ModelFault(f"the graph gave the score {score}")
        return score

    def verify(self, golden: Golden) -> None:
        """Proves on the golden rows that this machine computes what training computed; raises BundleError."""
        rows = _golden_rows(golden, self._numerical, self._categorical)
        try:
            found = self.score(rows)
        except ModelFault as error:
            raise BundleError(f"golden rows: {error}") from error
        worst = float(np.abs(found - np.asarray(golden.scores)).max())
        if not worst <= GOLDEN_ATOL:  # so that NaN fails too
            raise BundleError(
                f"golden rows: scores differ by up to {worst:.3g} from the registered ones (allowed {GOLDEN_ATOL:g})"
            )


def _session(folder: Path) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = (
        4  # failures reach us as exceptions; ONNX Runtime would print each one besides
    )
    try:
        return onnxruntime.InferenceSession(
            (folder / MODEL_FILE).read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # see Predictor.score
        raise BundleError(
            f"{folder / MODEL_FILE}: ONNX Runtime refuses it ({str(error).strip()[:300]})"
        ) from error


def _golden_rows(golden: Golden, numerical: list[int], categorical: list[int]) -> list[list[Value]]:
    """Golden rows in the spec's feature order."""
    count = len(golden.scores)
    numbers = golden.numerical or [[] for _ in range(count)]
    texts = golden.categorical or [[] for _ in range(count)]
    widths = (
        {len(row) for row in numbers} | {len(numerical)},
        {len(row) for row in texts} | {len(categorical)},
    )
    if count == 0 or len(numbers) != count or len(texts) != count or any(len(width) != 1 for width in widths):
        raise BundleError(
            "golden rows: missing, or not one value a feature and one score a row: export the bundle again"
        )
    rows: list[list[Value]] = [[None] * (len(numerical) + len(categorical)) for _ in range(count)]
    for row, left, right in zip(rows, numbers, texts, strict=True):
        for position, value in [*zip(numerical, left, strict=True), *zip(categorical, right, strict=True)]:
            row[position] = value
    return rows
