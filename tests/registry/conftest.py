"""A registry on a SQLite file of its own for each test; MLflow's migrations (3 s) are run once and the file copied."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import msgspec
import pytest

from ct_assets.registry import BUNDLE_FILE, MODEL_FILE, Bundle, Golden, Registry, Version


@pytest.fixture(scope="session")
def fresh_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "mlflow.db"
    assert Registry(f"sqlite:///{file}", "none").by_alias("champion") is None
    return file


@pytest.fixture
def registry(fresh_store: Path, tmp_path: Path) -> Registry:
    folder = tmp_path / "registry"
    folder.mkdir()
    shutil.copy(fresh_store, folder / "mlflow.db")
    return Registry(f"sqlite:///{folder / 'mlflow.db'}", "fraud-detector")


@pytest.fixture
def publish(registry: Registry, tmp_path: Path):
    """Registers a version whose graph is the given bytes, with its files as a run's artifacts."""

    def _publish(graph: bytes, **tags: str) -> Version:
        folder = tmp_path / "written"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        digest = hashlib.sha256(graph).hexdigest()
        (folder / MODEL_FILE).write_bytes(graph)
        bundle = Bundle(["amount"], [], digest, Golden([[1.0]], [[]], [0.5]))
        (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(bundle))
        run = registry.client.create_run(registry.experiment())
        registry.client.log_artifacts(run.info.run_id, str(folder), "model")
        registry.client.set_terminated(run.info.run_id)
        given = {"ct.onnx_sha256": digest, **tags}
        return registry.register(run_id=run.info.run_id, source=f"runs:/{run.info.run_id}/model", tags=given)

    return _publish
