"""A history that cannot be built is told with the end of what it printed, and leaves neither a base nor a process."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from ct_assets.demo.base import HistoryFailed, ready_base
from ct_assets.demo.deployment import Deployment, Timeline


def test_a_history_that_fails_says_why_and_leaves_nothing_behind(tmp_path: Path) -> None:
    deployment = Deployment.on_free_ports(tmp_path / "run", date(2024, 1, 1), grace_s=21_600.0, bake_s=5.0)
    with pytest.raises(HistoryFailed) as failed:
        ready_base(
            tmp_path / "history",
            deployment,
            Timeline(date(2024, 5, 20)),
            seed=1,
            tx_per_day=0,
            console=Console(),
        )
    first, *_, last = str(failed.value).splitlines()
    log = deployment.logs / "history.log"
    assert first == f"building the history ended with status 1; the end of {log}:"
    assert last == "ValueError: FraudTraffic.tx_per_day must be at least 1, not 0"
    assert not (tmp_path / "history").exists()
    assert deployment.ports.taken() == []
