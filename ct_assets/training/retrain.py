"""From the lake to a registered candidate: reads what was known at the end of the as-of day, and trains on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from ct_assets.lake.store import Lake
from ct_assets.lake.window import labelled
from ct_assets.registry import Registry
from ct_assets.spec import ModelSpec
from ct_assets.training.dataset import build_dataset, labels
from ct_assets.training.train import Trained, train
from ct_assets.training.window import TrainingWindow

__all__ = ["retrain"]


def retrain(
    spec: ModelSpec,
    *,
    lake: Lake,
    registry: Registry,
    as_of: date,
    trigger: str,
    code_version: str,
    work_dir: Path,
    run_id: str = "",
    log: Callable[[str], object] | None = None,
) -> Trained:
    """A candidate as of `as_of`; raises NotTrainable (with its reason) where the lake does not hold enough.

    `trigger`: why, in words; `run_id`: of the orchestrator's run, kept as a tag; `log`: told what happens.
    """
    say = log or (lambda _: None)
    window = TrainingWindow.of(spec, as_of)
    rows = labelled(lake, spec, first=window.train_start, last=window.holdout_end, as_of=as_of)
    dataset = build_dataset(spec, rows, window)
    say(
        f"training on {dataset.train.num_rows:,} rows of {window.train_start}..{window.train_end} "
        f"({int(labels(dataset.train).sum()):,} positive), holdout {dataset.holdout.num_rows:,} rows of "
        f"{window.holdout_start}..{window.holdout_end}; {len(dataset.missing_days)} days without rows"
    )
    trained = train(
        spec,
        dataset,
        as_of=as_of,
        trigger=trigger,
        code_version=code_version,
        registry=registry,
        lake=lake,
        work_dir=work_dir,
        run_tags={"ct.run_id": run_id} if run_id else None,
    )
    how = (
        "found: same data, same recipe"
        if trained.reused
        else f"trained in {sum(trained.seconds.values()):.1f} s"
    )
    say(f"version {trained.version} {how}; AUC {trained.metrics['roc_auc']:.4f}, parity {trained.parity:.1e}")
    return trained
