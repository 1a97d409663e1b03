"""The rules of the house that no single room can see: who imports whom, what loading costs, what is pinned."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {contract["name"]: contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}
SOURCES = sorted(
    path for folder in ("ct_assets", "serving", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)

# The rooms above the line may know Dagster; whatever else is in ct_assets may not.
KNOW_DAGSTER = {"cli", "component", "definitions", "demo", "embedded", "graph", "resources"}
SERVING_READS = {"catalog", "lake", "registry", "settings", "spec"}
BELOW_THE_LAKE = {"calendar"}  # what those rooms themselves need
# CPU seconds on two cores: evidently 14, sklearn 8, mlflow 7, torch 2, kubernetes 1-6.
HEAVY = {
    "evidently",
    "kubernetes",
    "matplotlib",
    "mlflow",
    "onnxruntime",
    "pandas",
    "ray",
    "skl2onnx",
    "sklearn",
    "torch",
}


def rooms() -> set[str]:
    """Packages and modules directly under ct_assets; `defs` holds YAML only."""
    found = {
        path.stem if path.is_file() else path.name for path in (ROOT / "ct_assets").iterdir() if is_code(path)
    }
    return found - {"__init__", "defs"}


def is_code(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").exists()


def forbidden(contract: str, key: str) -> set[str]:
    return {
        name.removeprefix("ct_assets.") for name in CONTRACTS[contract][key] if name.startswith("ct_assets.")
    }


def python(code: str) -> str:
    """Output of a fresh interpreter in the repository."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_no_room_imports_from_one_above_it() -> None:
    python("import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))")


def test_a_new_room_is_either_of_the_dagster_layer_or_knows_no_dagster() -> None:
    assert forbidden("Data and decisions know no dagster", "source_modules") == rooms() - KNOW_DAGSTER


def test_a_new_room_is_closed_to_serving_until_it_is_opened() -> None:
    closed = forbidden(
        "Serving reads specs, the lake and the registry, and nothing else of the house", "forbidden_modules"
    )
    assert closed == rooms() - SERVING_READS - BELOW_THE_LAKE


def test_loading_the_code_location_imports_no_heavy_library() -> None:
    loaded = python(
        "import importlib, json, pkgutil, sys, ct_assets, ct_assets.definitions, ct_assets.graph, ct_assets.lake\n"
        "names = [m.name for p in (ct_assets.graph, ct_assets.lake) for m in pkgutil.iter_modules(p.__path__, p.__name__ + '.')]\n"
        "for name in [*names, 'ct_assets.ledger', 'ct_assets.catalog', 'ct_assets.component']: importlib.import_module(name)\n"
        "ct_assets.definitions.defs()\n"
        "print(json.dumps([name for name in sys.modules if '.' not in name]))"
    )
    assert not HEAVY & set(json.loads(loaded.splitlines()[-1])), "import it inside the function that needs it"


def test_reading_a_spec_and_the_lake_imports_neither_dagster_nor_a_heavy_library() -> None:
    loaded = python(
        "import json, sys, ct_assets.catalog, ct_assets.ledger, ct_assets.lake.window, ct_assets.lake.days\n"
        "print(json.dumps([name for name in sys.modules if '.' not in name]))"
    )
    assert not (HEAVY | {"dagster", "polars", "scipy"}) & set(json.loads(loaded))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_holds_one_idea_and_says_which(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 250, "two ideas: split it"
    assert not text.strip() or ast.get_docstring(ast.parse(text)), (
        "say in the first line what it decides or moves"
    )


def pins() -> dict[str, str]:
    lines = [line.split(";")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    return dict(line.split("==") for line in lines)


def wanted() -> list[str]:
    project = PYPROJECT["project"]
    return [
        requirement
        for extra in ("serving", "orchestration", "dev")
        for requirement in (*project["dependencies"], *project["optional-dependencies"][extra])
    ]


@pytest.mark.parametrize("requirement", sorted(set(wanted())))
def test_every_dependency_is_pinned_to_a_version_that_it_allows(requirement: str) -> None:
    asked = Requirement(requirement)
    pinned = pins().get(asked.name.lower())
    assert pinned, f"'{asked.name}' has no pin: run 'make constraints'"
    assert pinned in asked.specifier, "run 'make constraints'"


def test_the_pins_name_no_index_and_no_folder() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; .+)?", line), line


def test_dagster_accepts_every_key_of_the_instance(tmp_path: Path) -> None:
    from dagster._core.instance import DagsterInstance, InstanceRef

    with DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path), config_dir=str(ROOT))) as instance:
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 4
        assert instance.managed_python_loggers == ["ct_assets"]
        assert instance.run_monitoring_enabled
        assert not instance.run_retries_enabled
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled


def test_the_workspace_names_the_code_location_of_the_project() -> None:
    (entry,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    project = PYPROJECT["tool"]["dg"]["project"]
    assert entry["python_module"]["module_name"] == project["code_location_target_module"]
    assert entry["python_module"]["location_name"] == project["code_location_name"]
    assert find_spec(entry["python_module"]["module_name"])


def test_every_target_of_the_makefile_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = {name for line in re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE) for name in line.split()}
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in listed.splitlines() if line.startswith("  make ")} == phony - {"help"}


def test_ci_is_a_script_that_stops_at_the_first_failure() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o100
    assert "set -euo pipefail" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)
