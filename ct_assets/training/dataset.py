"""From labelled rows to a training set and its holdout, or a clear reason why no model can be trained on them.

The cut is by time alone: a model is deployed on tomorrow's rows of the very users it has seen, so the holdout
holds later rows of the same users. Recency weights halve every `recency_half_life_days`, counted in whole days
back from the last training day, and average one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ct_assets.spec import ModelSpec
from ct_assets.training.window import TrainingWindow

__all__ = ["Dataset", "NotTrainable", "build_dataset", "labels"]


class NotTrainable(ValueError):
    """These rows cannot train this model: `reason` says what is missing and what would help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Dataset:
    """Rows in order of event time, then request id; columns of the feature log, `label`, `label_time`."""

    window: TrainingWindow
    train: pa.Table
    holdout: pa.Table
    content_hash: str
    """Digest of what a trainer or the gate can see of both parts: ids, event times, features, labels."""
    missing_days: tuple[date, ...]
    """Days of the window without a single labelled row."""
    weights: np.ndarray | None = None
    """One a training row, mean 1; None where all weigh the same."""


def build_dataset(spec: ModelSpec, labelled: pa.Table, window: TrainingWindow) -> Dataset:
    """Cuts `labelled` (as of `window.as_of`) into the window's parts; raises NotTrainable."""
    absent = [name for name in (*spec.features, "label", "event_time") if name not in labelled.column_names]
    if absent:
        raise NotTrainable(
            f"column '{absent[0]}' is missing from the labelled rows: log it, or drop it from features"
        )
    rows = labelled.sort_by([("event_time", "ascending"), ("request_id", "ascending")])
    train = _between(rows, *window.train_bounds())
    holdout = _between(rows, *window.holdout_bounds())
    _check(spec, train, f"training window {window.train_start}..{window.train_end}", spec.training.min_rows)
    _check(spec, holdout, f"holdout {window.holdout_start}..{window.holdout_end}", 1)
    empty = [name for name in spec.features if train[name].null_count == train.num_rows]
    if empty:
        raise NotTrainable(
            f"feature '{empty[0]}' is null in every row of the training window: see what logs it, or drop it"
        )
    seen = set(_dates(train)) | set(_dates(holdout))
    return Dataset(
        window=window,
        train=train,
        holdout=holdout,
        content_hash=_content_hash([train, holdout], ["request_id", "event_time", *spec.features, "label"]),
        missing_days=tuple(day for day in window.days() if day not in seen),
        weights=_recency_weights(train, window.train_end, spec.training.recency_half_life_days),
    )


def labels(table: pa.Table) -> np.ndarray:
    """0 or 1 a row, as int8 [rows]."""
    return np.asarray(table["label"].to_numpy(), dtype=np.int8)


def _check(spec: ModelSpec, part: pa.Table, where: str, min_rows: int) -> None:
    if part.num_rows < min_rows:
        raise NotTrainable(
            f"{where} holds {part.num_rows:,} labelled rows, at least {min_rows:,} are needed: wait for labels, or widen it"
        )
    strange = sorted({str(v) for v in pc.unique(part["label"]).to_pylist()} - {"0.0", "1.0", "0", "1"})
    if strange:
        raise NotTrainable(f"{where}: '{spec.label}' holds {strange[0]}; a binary label is 0 or 1")
    positives = int(labels(part).sum())
    counts = {"positive": positives, "negative": part.num_rows - positives}
    if 0 in counts.values():
        only = next(name for name, n in counts.items() if n)
        raise NotTrainable(
            f"{where} holds {only} labels only ({part.num_rows:,} rows): nothing can be told apart"
        )
    for name, n in counts.items():
        if n < spec.training.min_positives:
            raise NotTrainable(
                f"{where} holds {n} {name} labels, at least {spec.training.min_positives} are needed: wait for labels, or widen it"
            )


def _between(rows: pa.Table, start: datetime, end: datetime) -> pa.Table:
    kind = rows.schema.field("event_time").type
    time = rows["event_time"]
    return rows.filter(
        pc.and_(pc.greater_equal(time, pa.scalar(start, kind)), pc.less(time, pa.scalar(end, kind)))
    )


def _dates(part: pa.Table) -> list[date]:
    return [day.as_py() for day in pc.unique(pc.cast(part["event_time"], pa.date32()))]


def _recency_weights(train: pa.Table, last: date, half_life_days: float | None) -> np.ndarray | None:
    if half_life_days is None:
        return None
    days = pc.cast(pc.cast(train["event_time"], pa.date32()), pa.int32()).to_numpy()
    weights = 0.5 ** ((np.datetime64(last).astype("datetime64[D]").astype(int) - days) / half_life_days)
    return np.asarray(weights / weights.mean())


def _content_hash(parts: Sequence[pa.Table], columns: Sequence[str]) -> str:
    """Of values, not of Arrow buffers: chunking, dictionaries or a newer pyarrow do not change it. 16 hex digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part.num_rows}\n".encode())
        for name in columns:
            column = part[name].combine_chunks()
            digest.update(
                name.encode() + b"\0" + np.packbits(column.is_null().to_numpy(zero_copy_only=False)).tobytes()
            )
            if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
                digest.update(
                    pc.fill_null(pc.cast(column, pa.float64(), safe=False), 0.0)
                    .to_numpy(zero_copy_only=False)
                    .tobytes()
                )
            elif pa.types.is_timestamp(column.type):
                digest.update(pc.cast(column, pa.int64()).to_numpy(zero_copy_only=False).tobytes())
            else:
                text = pc.fill_null(pc.cast(column, pa.string()), "").to_pylist()
                digest.update("\x1f".join(text).encode())
    return digest.hexdigest()[:16]
