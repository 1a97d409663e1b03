"""The first use of the registry by several threads at once, as sensor ticks of one code server make it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys, threading
from ct_assets.registry import Registry
registries = [Registry(sys.argv[1], "m") for _ in range(4)]
errors = []
def use(registry):
    try:
        assert registry.by_alias("champion") is None
    except BaseException as error:
        errors.append(repr(error))
threads = [threading.Thread(target=use, args=(r,)) for r in registries]
[t.start() for t in threads]; [t.join() for t in threads]
sys.exit("; ".join(errors) or 0)
"""


def test_threads_that_use_the_registry_first_at_the_same_time_all_get_an_answer(tmp_path: Path) -> None:
    """mlflow imports itself in circles: without a lock, one thread finds half of it, and so does every later tick."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"sqlite:///{tmp_path / 'mlflow.db'}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
