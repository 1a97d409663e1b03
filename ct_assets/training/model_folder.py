"""Writes the folder that is registered: an MLflow model (ONNX flavour, with signature) that is a serving bundle as well."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ct_assets.registry import Bundle, Golden, write_bundle
from ct_assets.spec import ModelSpec
from ct_assets.training.score import Scorer

if TYPE_CHECKING:
    import onnx

__all__ = ["golden_rows", "write_model_folder"]

GOLDEN_ROWS = 20


def write_model_folder(folder: Path, spec: ModelSpec, graph: onnx.ModelProto, golden: Golden) -> Bundle:
    """MLmodel, requirements, model.onnx, bundle.json. The requirements are stated, so MLflow starts no process to infer them."""
    import mlflow.onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    inputs = []
    if spec.numerical:
        inputs.append(TensorSpec(np.dtype(np.float32), (-1, len(spec.numerical)), "numerical"))
    if spec.categorical:
        inputs.append(TensorSpec(np.dtype(np.object_), (-1, len(spec.categorical)), "categorical"))
    mlflow.onnx.save_model(
        graph,
        str(folder),
        signature=ModelSignature(Schema(inputs), Schema([TensorSpec(np.dtype(np.float32), (-1,), "score")])),
        pip_requirements=[f"{name}=={version(name)}" for name in ("onnx", "onnxruntime", "numpy")],
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
        metadata={"features": dict(spec.features)},
    )
    return write_bundle(
        folder,
        graph.SerializeToString(deterministic=True),
        numerical=list(spec.numerical),
        categorical=list(spec.categorical),
        golden=golden,
    )


def golden_rows(graph: Scorer, rows: pa.Table) -> Golden:
    """Rows spread over the whole range of scores, lowest to highest, with the scores that serving must reproduce."""
    scores = graph(rows)
    at = np.unique(np.linspace(0, len(scores) - 1, GOLDEN_ROWS).round().astype(int))
    chosen = np.argsort(scores, kind="stable")[at]
    feed = graph.feed(rows.take(pa.array(chosen)))
    none = np.empty((len(chosen), 0))
    numerical = [[None if np.isnan(v) else float(v) for v in row] for row in feed.get("numerical", none)]
    categorical = [[v or None for v in row] for row in feed.get("categorical", none)]
    return Golden(numerical=numerical, categorical=categorical, scores=scores[chosen].tolist())
