"""The whole loop once, with nothing simulated but the users: `dagster dev`, two serving processes, Envoy, HTTP.

A fraud model with a training window of ten days, twenty days of history on which the world changed, and one day of
live requests. After those the test touches nothing: sensors judge the day, retrain, gate, roll out, and serving follows.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest
import yaml

from ct_assets.calendar import Rules, newest_due_day
from ct_assets.catalog import load_spec
from ct_assets.embedded.ports import HOST, Ports, free_ports
from ct_assets.embedded.processes import Processes
from ct_assets.embedded.stack import answers, start_stack, wait_until
from ct_assets.graph.canary import ROLLOUT
from ct_assets.graph.names import Names
from ct_assets.lake.log import write_records
from ct_assets.lake.production import compact_day
from ct_assets.lake.record import LABEL_LOG, feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.ledger import Entry, Ledger
from ct_assets.registry import Registry
from ct_assets.spec import ModelSpec
from ct_assets.training import retrain

ROOT = Path(__file__).parents[2]
MODEL, NAMES = "fraud_detector", Names("fraud_detector")
DAY = timedelta(days=1)
ROWS = 250
LOOP_S = 360.0


@dataclass
class Deployment:
    """One deployment in a folder, with days of waiting made seconds by its overlay."""

    folder: Path
    live: date
    ports: Ports = field(init=False)

    def __post_init__(self) -> None:
        self.dagster_port, *others = free_ports(6)
        self.ports = Ports(*others)
        self.home = self.folder / "dagster"
        self.home.mkdir(parents=True)
        shutil.copy(ROOT / "dagster.yaml", self.home)
        (self.folder / "overlay.yaml").write_text(yaml.safe_dump({MODEL: self.overlay()}))
        self.spec = load_spec(MODEL, overlay=self.folder / "overlay.yaml")
        self.lake = Lake(f"file://{self.folder / 'lake'}")
        self.tracking_uri = f"sqlite:///{self.folder / 'mlflow' / 'mlflow.db'}"
        self.registry = Registry(self.tracking_uri, self.spec.registered_model)
        self.url = f"http://{HOST}:{self.ports.router}"

    def overlay(self) -> dict[str, Any]:
        return {
            "history_start": str(self.live - 30 * DAY),
            "label_delay_days": 2,
            "training": {
                "window_days": 10,
                "holdout_days": 2,
                "min_rows": 500,
                "min_positives": 20,
                "parameters": {"max_iter": 25},
                "drift_days": 0,  # one day of live requests is judged here
            },
            "drift": {"min_rows": 100, "reference_rows": 2_000, "prediction": None},
            "gate": {"threshold": 0.7},
            "calendar": {"settle_s": 3, "poll_s": 2, "catch_up_days": 1},
            "serving": {
                "max_age_s": 20 * 86_400,
                "flush_s": 0.5,
                "champion_urls": [f"http://{HOST}:{self.ports.champion}"],
                "challenger_urls": [f"http://{HOST}:{self.ports.challenger}"],
            },
            "rollout": {
                "steps": [50, 100],
                "bake_s": 2,
                "min_requests": 30,
                "deadline_s": 90,
                "shadow": {"requests": 50},
                "envoy_admin_url": f"http://{HOST}:{self.ports.admin}",
            },
        }

    def env(self) -> dict[str, str]:
        return {
            **os.environ,
            "CT_HOME": str(self.folder),
            "CT_OVERLAY": str(self.folder / "overlay.yaml"),
            "CT_LAKE_URL": self.lake.url,
            "CT_ROUTER_DIR": str(self.folder / "router"),
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "DAGSTER_HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
        }

    def ledger(self, kind: str) -> list[Entry]:
        return Ledger(self.lake).read(MODEL, kind=kind)

    def tail(self) -> str:
        """What to look at where the loop did not close."""
        said = [f"{e.at:%H:%M:%S} {e.kind} {e.action}: {e.reason}" for e in Ledger(self.lake).read(MODEL)]
        log = (self.folder / "logs" / "dagster.log").read_text(errors="replace").splitlines()[-30:]
        return "\n".join([*said, *log])


def day_of_rows(spec: ModelSpec, day: date, *, changed: bool) -> tuple[dict[str, Any], np.ndarray]:
    """Requests of a day, by column, and their truth; in the changed world amounts are higher and another sign tells."""
    rng = np.random.default_rng(day.toordinal())
    columns: dict[str, Any] = {name: rng.normal(size=ROWS) for name in spec.numerical}
    columns |= {name: rng.choice(["a", "b", "c"], ROWS).tolist() for name in spec.categorical}
    columns["transaction_amount"] = rng.lognormal(3, 0.5, ROWS) * (3 if changed else 1)
    before, after = [name for name in spec.numerical if name != "transaction_amount"][:2]
    sign = columns[after if changed else before]
    return columns, (rng.random(ROWS) < 1 / (1 + np.exp(2 - 3 * sign))).astype(float)


def moments(day: date) -> list[datetime]:
    start = datetime.combine(day, clock_time(1), UTC)
    return [start + k * timedelta(minutes=5) for k in range(ROWS)]


def log_history(at: Deployment, first: date, change: date) -> None:
    """The days before the live one, as serving and feedback would have logged them."""
    for n in range((at.live - first).days):
        day = first + n * DAY
        columns, truth = day_of_rows(at.spec, day, changed=day >= change)
        times, ids = moments(day), [f"{day}-{k}" for k in range(ROWS)]
        logged = {
            "request_id": ids,
            "event_time": times,
            "received_at": times,
            "model_version": ["1"] * ROWS,
            "variant": ["champion"] * ROWS,
            "prediction": [0.5] * ROWS,
            "entity": [f"c{k % 40}" for k in range(ROWS)],
            **columns,
        }
        write_records(
            at.lake, "features", MODEL, pa.table(logged, schema=feature_log_schema(at.spec)), "event_time"
        )
        known = [moment + DAY for moment in times]
        labels = {"request_id": ids, "label": truth, "label_time": known, "received_at": known}
        write_records(at.lake, "labels", MODEL, pa.table(labels, schema=LABEL_LOG), "label_time")
        compact_day(at.lake, at.spec, day)


def first_champion(at: Deployment, as_of: date, work: Path) -> None:
    """By hand: the loop under test is what comes after."""
    work.mkdir()
    trained = retrain(
        at.spec,
        lake=at.lake,
        registry=at.registry,
        as_of=as_of,
        trigger="test",
        code_version="test",
        work_dir=work,
    )
    at.registry.set_alias("champion", trained.version)


def send(
    at: Deployment, columns: dict[str, Any], k: int, moment: datetime, request_id: str
) -> dict[str, Any]:
    features = {
        name: values[k] if isinstance(values[k], str) else float(values[k])
        for name, values in columns.items()
    }
    entity = f"c{k % 40}"
    body = {
        "request_id": request_id,
        "event_time": moment.isoformat(),
        "entity": entity,
        "features": features,
    }
    headers = {"content-type": "application/json", "x-entity-id": entity}
    request = urllib.request.Request(f"{at.url}/predict", data=json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@contextmanager
def trickle(at: Deployment) -> Iterator[list[str]]:
    """Live traffic of today at some 40 requests a second; yields the versions that answered, or the errors."""
    columns, _ = day_of_rows(at.spec, at.live + DAY, changed=True)
    over, answered = threading.Event(), []

    def run() -> None:
        n = 0
        while not over.wait(0.025):
            n += 1
            try:
                answered.append(send(at, columns, n % ROWS, datetime.now(UTC), f"now-{n}")["model_version"])
            except OSError as error:
                answered.append(repr(error))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield answered
    finally:
        over.set()
        thread.join()


@pytest.mark.timeout(600)
def test_drift_is_answered_by_a_new_champion_without_a_hand(tmp_path: Path) -> None:
    live = newest_due_day(datetime.now(UTC), Rules.of(load_spec(MODEL).calendar))
    at = Deployment(tmp_path / "deployment", live)
    change = live - 9 * DAY  # six of the ten training days, and the holdout, are of the changed world
    log_history(at, live - 24 * DAY, change)
    first_champion(at, change - DAY, tmp_path / "work")

    with Processes(at.folder / "logs") as processes:
        start_stack(processes, MODEL, at.ports, at.folder / "router" / MODEL, at.env())
        dagster = [str(Path(sys.executable).with_name("dagster")), "dev", "-w", str(ROOT / "workspace.yaml")]
        processes.start("dagster", [*dagster, "-h", HOST, "-p", str(at.dagster_port)], at.env(), cwd=at.home)
        wait_until(
            "a champion behind Envoy",
            lambda: answers(f"{at.url}/readyz"),
            within_s=90,
            tend=processes.keep_alive,
        )
        columns, _ = day_of_rows(at.spec, live, changed=True)
        for k, moment in enumerate(moments(live)):
            assert send(at, columns, k, moment, f"{live}-{k}")["model_version"] == "1"
        with trickle(at) as answered:
            deadline = time.monotonic() + LOOP_S
            while not any(entry.action in ("promote", "rolled_back") for entry in at.ledger("rollout")):
                assert time.monotonic() < deadline, at.tail()
                assert processes.keep_alive() == [], at.tail()
                time.sleep(1)
            served = len(answered)
            wait_until(
                "answers after the end", lambda: len(answered) > served + 20, within_s=30, tend=lambda: None
            )

        assert set(answered) == {"1", "2"}, "no request failed, and nobody else answered"
        assert set(answered[-10:]) == {"2"}, "serving follows the alias"
        assert at.registry.by_alias("champion").version == "2", at.tail()  # type: ignore[union-attr]
        assert at.registry.by_alias("previous_champion").version == "1"  # type: ignore[union-attr]
        assert at.registry.by_alias("challenger") is None
        tells_one_story(at)
        dagster_knows_it(at)
    assert processes.restarts == {}
    assert processes.left == [], "everything that was started is gone"


def tells_one_story(at: Deployment) -> None:
    """Why is version 2 champion? The ledger answers, row by row."""
    (drift,) = [entry for entry in at.ledger("drift") if entry.action == "drift"]
    assert (drift.day, drift.version) == (str(at.live), "1")
    assert drift.evidence["psi_transaction_amount"]["outcome"] == "drift"
    (trigger,) = [entry for entry in at.ledger("trigger") if entry.action == "retrain"]
    assert drift.reason in trigger.reason
    (training,) = at.ledger("training")
    assert (training.action, training.version, training.reason) == ("train", "2", trigger.reason)
    (gate,) = at.ledger("gate")
    assert (gate.action, gate.version) == ("promote", "2")
    assert gate.evidence["candidate_auc"] > gate.evidence["champion_auc"]
    rollout = at.ledger("rollout")
    assert [entry.action for entry in rollout if entry.action in ("start", "promote")] == ["start", "promote"]
    assert [e.evidence["stage"] for e in rollout if e.action == "advance"] == [
        "shadow",
        "canary_50",
        "canary_100",
    ]
    assert drift.at <= trigger.at <= training.at <= gate.at <= rollout[0].at <= rollout[-1].at


def dagster_knows_it(at: Deployment) -> None:
    with dg.DagsterInstance.from_config(str(at.home)) as instance:
        runs = {run.job_name: run for run in instance.get_runs()}
        counts = [run.job_name for run in instance.get_runs()]
        assert sorted(counts) == sorted([NAMES.judge_job, NAMES.retraining_job, NAMES.rollout_job]), counts
        (trigger,) = [entry for entry in at.ledger("trigger") if entry.action == "retrain"]
        assert runs[NAMES.retraining_job].tags["ct/reason"] == trigger.reason
        assert runs[NAMES.rollout_job].tags[ROLLOUT] == "1-v2"
        (reported,) = instance.fetch_materializations(NAMES.key("champion_alias"), limit=5).records
        assert reported.asset_materialization is not None
        assert reported.asset_materialization.metadata["version"].value == "2"
