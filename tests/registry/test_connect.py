from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ct_assets.registry import Registry, RegistryError

_FIRST_USE = """
import sys
from ct_assets.registry import Registry
registry = Registry(sys.argv[1], "fraud-detector")
assert registry.by_alias("champion") is None
print(registry.experiment())
"""


def test_two_processes_may_both_be_the_first_on_a_fresh_file(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'deep' / 'mlflow.db'}"
    command = [sys.executable, "-c", _FIRST_USE, uri]
    both = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(),
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len({out for out, _ in said}) == 1, "both use one experiment"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep"], "no ./mlruns in the working directory"


def test_artifacts_of_a_sqlite_store_lie_beside_the_file(registry: Registry, tmp_path: Path) -> None:
    run = registry.client.create_run(registry.experiment())
    assert run.info.artifact_uri.startswith((tmp_path / "registry" / "artifacts" / "fraud-detector").as_uri())


def test_a_registry_in_memory_is_refused() -> None:
    with pytest.raises(RegistryError, match="lost with its process"):
        Registry("sqlite:///:memory:", "m")


def test_loading_the_package_does_not_load_mlflow() -> None:
    code = "import sys, ct_assets.registry; sys.exit(any(m.split('.')[0] in {'mlflow', 'numpy', 'pandas'} for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], env=_environment(), check=False).returncode == 0


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
