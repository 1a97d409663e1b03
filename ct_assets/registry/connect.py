"""Connects to an MLflow store: a server (`http://`), or a SQLite file that is made on first use.

MLflow creates a fresh database in dozens of migrations with no lock of its own: of two processes that
start together, one dies of "table already exists". Here the first use of a file is serialised by an
exclusive lock beside it. Artifacts of a SQLite store lie in `artifacts/` beside the file, since MLflow's
own default is `./mlruns` of whatever directory a process happens to run in.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ct_assets.registry.version import RegistryError

__all__ = ["connect", "mlflow_exception", "sqlite_file"]

_SQLITE = "sqlite:///"
_importing = threading.Lock()


def sqlite_file(tracking_uri: str) -> Path | None:
    """The file behind `sqlite:///<path>`, absolute; None for every other kind of store.

    >>> sqlite_file("sqlite:////data/mlflow.db").as_posix(), sqlite_file("http://mlflow:5000")
    ('/data/mlflow.db', None)
    """
    if not tracking_uri.startswith(_SQLITE):
        return None
    path = tracking_uri.removeprefix(_SQLITE).split("?", 1)[0]
    if path in ("", ":memory:"):
        raise RegistryError(
            f"tracking URI '{tracking_uri}': a registry in memory is lost with its process; "
            "name a file, e.g. sqlite:////data/mlflow.db"
        )
    return Path(path).absolute()


def mlflow_exception() -> Any:
    """MLflow's exception type, with mlflow imported whole: call this before anything else of it is imported.

    Its modules import each other in circles: two threads that import it at once (sensor ticks of one code
    server) find half a module, and the process never recovers. So one imports and the others wait.
    """
    with _importing:
        # Read when mlflow is imported. It reports usage to its makers otherwise.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # Seven retries of a dead server take minutes, in which serving would not even say that it is dead.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        for module in ("mlflow.artifacts", "mlflow.tracking"):
            importlib.import_module(module)
        from mlflow.exceptions import MlflowException

    return MlflowException


def connect(tracking_uri: str) -> Any:
    """An `MlflowClient` on the store, whose schema and folder exist afterwards."""
    mlflow_exception()
    from mlflow.tracking import MlflowClient

    file = sqlite_file(tracking_uri)
    if file is None:
        return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    with _exclusive(file.with_name(f".{file.name}.lock")):
        client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
        client.search_registered_models(
            max_results=1
        )  # the registry's half of the schema is made on its first call
    return client


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Holds a lock between processes; the kernel drops it with the process, so a crash leaves nothing locked."""
    import fcntl

    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
