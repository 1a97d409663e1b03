"""What a window is compared with: a sample of the rows that the champion learned from, and its holdout scores."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ct_assets.drift.columns import Column, read_column
from ct_assets.spec import FeatureKind

__all__ = ["Reference"]


@dataclass(frozen=True)
class Reference:
    """Rows and scores of one model version, or of the one that a model of that day would have been."""

    features: pa.Table
    """One row a request, one column a feature."""
    scores: NDArray[np.floating] | None
    """The champion's scores on its own holdout, (rows,); None where they are not known."""
    champion: str | None
    """Version in the registry; None: no model was champion."""
    hypothetical: bool
    description: str
    """For people, e.g. `sample of the training window of version 3`."""
    _read: dict[str, Column] = field(default_factory=dict, init=False, repr=False, compare=False)

    def column(self, name: str, kind: FeatureKind) -> Column:
        """One feature, read once however many days are judged; raises UnusableColumn."""
        if name not in self._read:
            self._read[name] = read_column(self.features, name, kind)
        return self._read[name]
