"""What loading costs: the code location imports the drift package in every process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = {"dagster", "evidently", "matplotlib", "mlflow", "pandas", "polars", "scipy", "sklearn"}


def test_the_package_loads_without_dagster_and_without_anything_heavy() -> None:
    code = "import sys, ct_assets.calendar, ct_assets.drift, ct_assets.drift.plot, ct_assets.drift.report; print(*sys.modules)"
    root = Path(__file__).parents[2]
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    loaded = found.stdout.split()
    assert "ct_assets.drift.judge" in loaded
    assert HEAVY & {name.split(".")[0] for name in loaded} == set()
