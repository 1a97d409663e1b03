"""The scores of one model version on a holdout: what the gate compares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["GateError", "Scores"]


class GateError(ValueError):
    """The evidence handed to the gate does not fit together: says what differs."""


@dataclass(frozen=True, eq=False)
class Scores:
    """0/1 labels and predictions (probability of the positive class), each [rows], of one version on a holdout."""

    version: str
    labels: np.ndarray
    predictions: np.ndarray
    rows: np.ndarray | None = None
    """Request ids [rows]; where both sides carry them, a pairing of different rows is found out."""

    def __post_init__(self) -> None:
        ids = len(self.labels) if self.rows is None else len(self.rows)
        if not len(self.labels) == len(self.predictions) == ids:
            raise GateError(
                f"version {self.version}: {ids} rows, {len(self.labels)} labels, {len(self.predictions)} predictions: one each a row"
            )
        if not np.isin(self.labels, (0, 1)).all():
            raise GateError(f"version {self.version}: labels of the holdout must be 0 or 1")

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.predictions).all())

    @property
    def positives(self) -> int:
        return int(self.labels.sum())

    def require_same_rows(self, other: Scores) -> None:
        """A paired comparison means the very same rows: raises GateError otherwise."""
        ids_differ = (
            self.rows is not None and other.rows is not None and not np.array_equal(self.rows, other.rows)
        )
        if ids_differ or not np.array_equal(self.labels, other.labels):
            raise GateError(
                f"versions {self.version} ({len(self.labels)} rows) and {other.version} ({len(other.labels)} rows) "
                "were not scored on the same labelled rows: read the holdout once and score both on it"
            )
