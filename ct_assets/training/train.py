"""Trains one candidate: fit, export, measure, write down, register. The registration comes last.

So a version that exists has its graph, its golden rows, its reference sample and its figures; a training that
dies on the way leaves a failed MLflow run and files that nothing refers to. The same data and recipe as of
the same day are not trained twice: the version that exists is the answer.
"""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ct_assets.lake.layout import reference_key
from ct_assets.lake.store import Lake
from ct_assets.registry import Registry, Version
from ct_assets.registry.version import AS_OF, CODE_VERSION, DATA_HASH, ONNX_SHA256, PARAMS_HASH, TRIGGER
from ct_assets.spec import ModelSpec
from ct_assets.training.dataset import Dataset, labels
from ct_assets.training.identity import find_trained, params_hash
from ct_assets.training.importance import permutation_importance
from ct_assets.training.metrics import holdout_metrics
from ct_assets.training.model_folder import golden_rows, write_model_folder
from ct_assets.training.parity import parity, with_hard_rows
from ct_assets.training.plots import plot_holdout
from ct_assets.training.reference import write_reference
from ct_assets.training.score import Scorer
from ct_assets.training.tracking import TrackedRun, tracked_run
from ct_assets.training.trainer import fit
from ct_assets.training.window import TrainingWindow

__all__ = ["PARITY", "Trained", "train"]

PARITY = "ct.parity"
PREDICTION = "prediction"


@dataclass(frozen=True, eq=False)
class Trained:
    """A registered candidate and what was measured of it."""

    version: str
    run_id: str
    """Of MLflow."""
    window: TrainingWindow
    metrics: Mapping[str, float]
    """On the holdout, of the exported graph; and `onnx_parity`."""
    parity: float
    data_hash: str
    params_hash: str
    train_rows: int
    holdout_rows: int
    bundle: Path
    """The folder that serving would load."""
    scores: np.ndarray
    """Of the holdout's rows, in their order."""
    seconds: Mapping[str, float]
    """By stage; empty where nothing was done."""
    reused: bool = False


def train(
    spec: ModelSpec,
    dataset: Dataset,
    *,
    as_of: date,
    trigger: str,
    code_version: str,
    registry: Registry,
    lake: Lake,
    work_dir: Path,
    run_tags: Mapping[str, str] | None = None,
    reuse: bool = True,
) -> Trained:
    """Trains on `dataset` and registers a version of `spec.registered_model`; sets no alias.

    `trigger`: why, in words; `code_version`: e.g. a commit; `work_dir`: an existing folder for the files on their way;
    `run_tags`: further tags of the MLflow run. `reuse=False` trains even what was trained already.
    A graph that strays from the native model is registered too: its parity is a tag, and the gate refuses it.
    """
    if as_of != dataset.window.as_of:
        raise ValueError(f"as_of {as_of} is not the {dataset.window.as_of} that the dataset was cut for")
    recipe = params_hash(spec, code_version)
    if (
        reuse
        and _settled(code_version)
        and (found := find_trained(registry, as_of, dataset.content_hash, recipe)) is not None
    ):
        return _reused(spec, dataset, found, registry, lake, work_dir)
    about = {
        AS_OF: as_of.isoformat(),
        TRIGGER: trigger,
        CODE_VERSION: code_version,
        DATA_HASH: dataset.content_hash,
        PARAMS_HASH: recipe,
        "ct.train_start": dataset.window.train_start.isoformat(),
        "ct.train_end": dataset.window.train_end.isoformat(),
        "ct.holdout_start": dataset.window.holdout_start.isoformat(),
        "ct.holdout_end": dataset.window.holdout_end.isoformat(),
    }
    with tracked_run(registry, name=f"{spec.model} {as_of}", tags={**about, **(run_tags or {})}) as run:
        return _train(spec, dataset, run, about, lake, work_dir)


def _settled(code_version: str) -> bool:
    """Whether the version names one state of the code: edited files, or no version at all, may train otherwise today."""
    return code_version != "unknown" and not code_version.endswith("-dirty")


def _train(
    spec: ModelSpec, dataset: Dataset, run: TrackedRun, about: Mapping[str, str], lake: Lake, work_dir: Path
) -> Trained:
    seconds: dict[str, float] = {}
    with _timed(seconds, "import"):
        _load_frameworks()
    with _timed(seconds, "fit"):
        native = fit(spec, dataset)
    with _timed(seconds, "export"):
        graph = native.to_onnx()
        scorer = Scorer(graph.SerializeToString(deterministic=True), spec.numerical, spec.categorical)
    with _timed(seconds, "measure"):
        truth, scores = labels(dataset.holdout), scorer(dataset.holdout)
        difference = parity(native, scorer, with_hard_rows(spec, dataset.holdout))
        metrics = {**holdout_metrics(truth, scores), "onnx_parity": difference}
        importance = permutation_importance(scorer, dataset.holdout, truth, seed=spec.training.seed)
    with _timed(seconds, "files"):
        folder, notes = (
            Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=work_dir)) for kind in ("model", "notes")
        )
        bundle = write_model_folder(folder, spec, graph, golden_rows(scorer, dataset.holdout))
        (notes / "importance.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(importance), indent=1)
        )
        (notes / "dataset.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(_describe(dataset)), indent=1)
        )
        plot_holdout(notes / "holdout.png", truth, scores, title=f"{spec.model} as of {dataset.window.as_of}")
        write_reference(spec, lake, run.run_id, dataset.train, scores)
    with _timed(seconds, "mlflow"):
        run.log(
            parameters=_parameters(spec, dataset),
            metrics=metrics,
            data_hash=dataset.content_hash,
            data_source=lake.url,
        )
        run.log_files(notes)
        tags = {
            **about,
            ONNX_SHA256: bundle.onnx_sha256,
            PARITY: repr(difference),
            "ct.roc_auc": f"{metrics['roc_auc']:.6f}",
        }
        version = run.register(folder, tags=tags, description=f"As of {about[AS_OF]}: {about[TRIGGER]}")
    return _trained(dataset, version, metrics, folder, scores, seconds)


def _reused(
    spec: ModelSpec, dataset: Dataset, version: Version, registry: Registry, lake: Lake, work_dir: Path
) -> Trained:
    metrics = dict(registry.client.get_run(version.run_id).data.metrics)
    folder = registry.download(version.version, work_dir)
    kept = lake.read_table(reference_key(spec.model, version.run_id, "scores.parquet"))
    scores = Scorer.open(folder)(dataset.holdout) if kept is None else kept[PREDICTION].to_numpy()
    return _trained(dataset, version, metrics, folder, scores, {}, reused=True)


def _trained(
    dataset: Dataset,
    version: Version,
    metrics: Mapping[str, float],
    folder: Path,
    scores: np.ndarray,
    seconds: Mapping[str, float],
    *,
    reused: bool = False,
) -> Trained:
    return Trained(
        version=version.version,
        run_id=version.run_id,
        window=dataset.window,
        metrics=metrics,
        parity=float(version.tags[PARITY]),
        data_hash=dataset.content_hash,
        params_hash=version.tags[PARAMS_HASH],
        train_rows=dataset.train.num_rows,
        holdout_rows=dataset.holdout.num_rows,
        bundle=folder,
        scores=scores,
        seconds=seconds,
        reused=reused,
    )


def _parameters(spec: ModelSpec, dataset: Dataset) -> dict[str, Any]:
    return {
        "trainer": spec.training.trainer,
        "seed": spec.training.seed,
        "window_days": spec.training.window_days,
        "holdout_days": spec.training.holdout_days,
        "label_delay_days": spec.label_delay_days,
        "recency_half_life_days": spec.training.recency_half_life_days,
        "train_rows": dataset.train.num_rows,
        "holdout_rows": dataset.holdout.num_rows,
        "features": len(spec.features),
        **{f"parameters.{name}": value for name, value in spec.training.parameters.items()},
    }


def _describe(dataset: Dataset) -> dict[str, Any]:
    return {
        "window": dataset.window,
        "content_hash": dataset.content_hash,
        "train": {"rows": dataset.train.num_rows, "positives": int(labels(dataset.train).sum())},
        "holdout": {"rows": dataset.holdout.num_rows, "positives": int(labels(dataset.holdout).sum())},
        "missing_days": dataset.missing_days,
    }


def _load_frameworks() -> None:
    """Imports what every training needs, so that the seconds of the other stages are seconds of work."""
    for name in ("matplotlib.figure", "mlflow.onnx", "onnxruntime", "sklearn.ensemble", "sklearn.metrics"):
        importlib.import_module(name)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - start, 3)
