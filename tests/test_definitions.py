"""The code location as `dagster dev` loads it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_every_shipped_model_loads_with_all_that_its_assets_ask_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ct_assets.catalog import load_specs
    from ct_assets.definitions import defs

    monkeypatch.setenv("CT_HOME", str(tmp_path))
    repository = defs().get_repository_def()  # a resource that nobody binds is an error here
    groups = {node.group_name for node in repository.asset_graph.asset_nodes}
    assert groups == set(load_specs())
    assert {"clock", "lake", "registry", "router"} <= set(repository.get_top_level_resources())


def test_loading_touches_no_deployment(tmp_path: Path) -> None:
    """No lake, registry or route is made, and nothing of ours is said on the way."""
    code = "import ct_assets.definitions as d; d.defs().get_repository_def()"
    env = {**os.environ, "CT_HOME": str(tmp_path / "ct"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(tmp_path.iterdir()) == []
    assert done.stdout == ""
    assert "BetaWarning" not in done.stderr, done.stderr
    assert "ct_assets" not in done.stderr, done.stderr
