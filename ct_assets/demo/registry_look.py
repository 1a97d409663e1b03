"""Looks at a deployment's registry once, in a process of its own: who is what, and how good the versions are.

MLflow keeps its connection to a SQLite file for the life of a process. The next scenario puts another file in
its place, and that process would go on reading the one that was deleted.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path

import polars as pl

from ct_assets.registry import Registry

__all__ = ["FIRST", "RegistrySeen", "auc_of", "look", "look_afresh", "newest_week"]

FIRST = "1"  # version of the first champion


@dataclass(frozen=True)
class RegistrySeen:
    """Aliases, and AUCs on the newest week; None: no such version, or its graph fails on some of the rows."""

    champion: str | None
    challenger: str | None
    first_auc: float | None
    newest_auc: float | None
    """Of the newest version, where that is not the first."""


def look_afresh(tracking_uri: str, name: str, rows: pl.DataFrame) -> RegistrySeen:
    """`look`, in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_look, tracking_uri, name, rows).result()


def _look(tracking_uri: str, name: str, rows: pl.DataFrame) -> RegistrySeen:
    return look(Registry(tracking_uri, name), rows)


def look(registry: Registry, rows: pl.DataFrame) -> RegistrySeen:
    """`rows`: transactions with features and true labels."""
    champion, challenger = registry.by_alias("champion"), registry.by_alias("challenger")
    newest = registry.versions()[0].version

    def auc(version: str) -> float | None:
        with tempfile.TemporaryDirectory() as folder:
            return auc_of(registry.download(version, Path(folder)), rows)

    return RegistrySeen(
        champion=champion.version if champion else None,
        challenger=challenger.version if challenger else None,
        first_auc=auc(FIRST),
        newest_auc=None if newest == FIRST else auc(newest),
    )


def newest_week(rows: pl.DataFrame, live: date) -> pl.DataFrame:
    """The rows of the seven days that end with `live`."""
    return rows.filter(pl.col("event_time").dt.date().is_between(live - timedelta(days=6), live))


def auc_of(bundle: Path, rows: pl.DataFrame) -> float | None:
    """AUC of the model in `bundle` on rows with their true labels; None where its graph fails on some of them."""
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

    from ct_assets.gate import roc_auc
    from ct_assets.training.score import score

    try:
        scores = score(bundle, rows.to_arrow())
    except (Fail, InvalidArgument, RuntimeException):
        return None
    return roc_auc(rows["is_fraud"].to_numpy(), scores)
