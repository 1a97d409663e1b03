"""`ct` as a user meets it: a mistake is one clear sentence and a status, never a stack trace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import yaml

from ct_assets.catalog import load_spec
from ct_assets.cli import main
from ct_assets.demo import FraudTraffic, generate
from ct_assets.demo.history import log_history
from ct_assets.embedded.ports import Ports, free_ports
from ct_assets.lake.production import compact_day
from ct_assets.lake.store import Lake
from ct_assets.ledger import Entry, Ledger
from ct_assets.spec import ModelSpec

CT = [sys.executable, "-c", "from ct_assets.cli import main; main()"]
MODEL = "fraud_detector"


class Done(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def ct(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs `ct` in this process, its state under a folder of the test's."""
    monkeypatch.setenv("CT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "WARNING")  # `ct retrain` sets both where they are not set

    def run(*arguments: str, **env: str) -> Done:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["ct", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


def one_line(done: Done) -> str:
    assert done.err.count("\n") == 1, done.err
    assert "Traceback" not in done.err
    return done.err


@pytest.mark.parametrize("command", ["serve", "retrain", "history"])
def test_an_unknown_model_is_named_with_those_that_there_are(ct: Callable[..., Done], command: str) -> None:
    done = ct(command, "churn")
    assert done.status == 2
    assert "there is no model 'churn' (known: " in one_line(done)
    assert MODEL in done.err


def test_an_unknown_scenario_is_named_with_those_that_there_are(ct: Callable[..., Done]) -> None:
    done = ct("demo", "--scenario", "quiet")
    assert done.status == 2
    assert "quiet: choose from steady, bad-model, drift" in done.err


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        (f"{MODEL}: {{rollout: {{bake: 5}}}}", "rollout.bake: unknown key; did you mean 'bake_s'?"),
        ("churn: {}", "there is no model 'churn' to put keys over"),
        ("just text", "an overlay maps model names to keys of their spec"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "retrain", "history"])
def test_a_mistake_in_the_overlay_is_named_with_its_file(
    ct: Callable[..., Done], tmp_path: Path, command: str, overlay: str, said: str
) -> None:
    file = tmp_path / "overlay.yaml"
    file.write_text(overlay)
    done = ct(command, MODEL, CT_OVERLAY=str(file))
    assert done.status == 2
    assert said in one_line(done)
    assert str(file) in done.err


def test_an_overlay_that_is_not_there_is_named(ct: Callable[..., Done]) -> None:
    done = ct("history", MODEL, CT_OVERLAY="/no/such/overlay.yaml")
    assert (done.status, one_line(done)) == (
        2,
        "/no/such/overlay.yaml: cannot be read (No such file or directory)\n",
    )


@pytest.mark.parametrize("command", ["serve", "retrain", "history"])
@pytest.mark.parametrize("url", ["lake", "file://lake", "s3://", "gs://bucket"])
def test_an_address_that_is_no_lake_is_refused(ct: Callable[..., Done], command: str, url: str) -> None:
    done = ct(command, MODEL, CT_LAKE_URL=url)
    assert done.status == 1
    assert one_line(done).startswith(f"no lake at {url}: ")


def test_a_folder_that_cannot_be_made_is_no_lake(ct: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = ct("history", MODEL, CT_LAKE_URL=f"file://{tmp_path / 'file' / 'lake'}")
    assert done.status == 1
    assert one_line(done).startswith("no lake at file://")


def test_the_history_of_a_model_that_nothing_was_decided_about_says_so(
    ct: Callable[..., Done], tmp_path: Path
) -> None:
    done = ct("history", MODEL)
    assert done == (0, f"{MODEL}: no decision yet in file://{tmp_path / 'home' / 'lake'}\n", "")


def test_the_history_tells_each_decision_on_a_line_with_its_reason(
    ct: Callable[..., Done], tmp_path: Path
) -> None:
    ledger, at = (
        Ledger(Lake(f"file://{tmp_path / 'home' / 'lake'}")),
        datetime(2024, 5, 2, 8, 30, 15, tzinfo=UTC),
    )
    rows = [
        ("trigger", "retrain", "3", "drift of [psi] and [/ks]"),
        ("gate", "promote", "4", "0.95 beats 0.90"),
    ]
    for n, (kind, action, version, reason) in enumerate(rows):
        row = Entry(
            at=at + timedelta(hours=n),
            model=MODEL,
            kind=kind,
            action=action,
            reason=reason,
            day="2024-05-01",
            version=version,
        )
        ledger.append(row)
    lines = [line.split() for line in ct("history", MODEL).out.splitlines()]
    assert [
        "2024-05-02",
        "08:30:15",
        "2024-05-01",
        "3",
        "trigger:",
        "retrain",
        "drift",
        "of",
        "[psi]",
        "and",
        "[/ks]",
    ] in lines
    assert ["2024-05-02", "09:30:15", "2024-05-01", "4", "gate:", "promote", "0.95", "beats", "0.90"] in lines


def test_a_row_of_the_ledger_that_cannot_be_read_is_named(ct: Callable[..., Done], tmp_path: Path) -> None:
    key = f"ledger/{MODEL}/2024/05/20240502T083015.000000-gate-0000.json"
    Lake(f"file://{tmp_path / 'home' / 'lake'}").put(key, b"{}")
    done = ct("history", MODEL)
    assert done.status == 1
    assert f"{key}: no row of the ledger" in one_line(done)


@pytest.mark.parametrize("day", ["2020-01-01", "2099-01-01"])
def test_a_day_that_is_none_of_the_models_cannot_be_retrained(ct: Callable[..., Done], day: str) -> None:
    done = ct("retrain", MODEL, "--as-of", day)
    assert done.status == 1
    assert one_line(done).startswith(
        f"{day} is no as-of day of {MODEL}: it takes UTC days that are over, from 2024-01-01"
    )


def test_a_day_without_rows_says_why_there_is_no_candidate_and_nothing_else(
    ct: Callable[..., Done], tmp_path: Path
) -> None:
    ended = ct("retrain", MODEL, "--as-of", "2024-06-01")
    assert ended.status == 1
    assert one_line(ended) == (
        "training window 2024-02-23..2024-05-22 holds 0 labelled rows, at least 1,000 are needed: wait for labels, or widen it "
        "(93 of its 93 days are not closed yet: a running Dagster, `make dev`, closes days)\n"
    )
    assert ended.out == ""
    ledger = Ledger(Lake(f"file://{tmp_path / 'home' / 'lake'}"))
    assert [(row.kind, row.action, row.day) for row in ledger.read(MODEL)] == [
        ("training", "refuse", "2024-06-01")
    ]


def test_a_service_that_keeps_dying_is_named_with_its_log(
    ct: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    monkeypatch.setattr("ct_assets.embedded.serve.ports_of", lambda _: Ports(*free_ports(5)))
    done = ct("serve", MODEL)
    assert done.status == 1
    log = tmp_path / "home" / "logs" / "champion.log"
    assert (
        one_line(done)
        == f"champion died 4 times within 300 s, last with status 1; its log is {log}; it wrote nothing\n"
    )


def python_ct(*arguments: str, home: Path, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CT, *arguments],
        env={**os.environ, "CT_HOME": str(home), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=240)
    return Done(process.returncode, out, err)


def test_a_retraining_shows_its_result_and_none_of_dagsters_log(tmp_path: Path) -> None:
    training = {"window_days": 7, "holdout_days": 2, "min_rows": 500, "min_positives": 5}
    training |= {"parameters": {"max_iter": 15}}
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({MODEL: {"training": training, "gate": {"threshold": 0.5}}}))
    log_days(tmp_path / "lake", load_spec(MODEL, overlay=overlay), last=date(2024, 6, 1), days=16)

    ended = done(python_ct("retrain", MODEL, "--as-of", "2024-06-01", home=tmp_path, CT_OVERLAY=str(overlay)))
    assert (ended.status, ended.err) == (0, "")
    first, why, next_step, run = ended.out.splitlines()
    assert first == f"{MODEL} as of 2024-06-01: version 1, challenger"
    assert "reaches 0.5; no champion yet" in why
    assert "`make dev`" in next_step
    assert f"`ct history {MODEL}`" in run
    home = tmp_path / "dagster"
    assert yaml.safe_load((home / "dagster.yaml").read_text())["telemetry"] == {"enabled": False}


def log_days(folder: Path, spec: ModelSpec, *, last: date, days: int) -> None:
    """Transactions as serving logs them, closed day by day."""
    lake, first = Lake(f"file://{folder}"), last - timedelta(days=days - 1)
    rows = generate(FraudTraffic(first, days, seed=1, tx_per_day=300))
    log_history(lake, spec, rows, known_until=last + timedelta(days=1))
    for n in range(days):
        compact_day(lake, spec, first + timedelta(days=n))


def test_sigterm_ends_a_demo_and_all_that_it_started(tmp_path: Path) -> None:
    demo = python_ct("demo", "--scenario", "steady", "--scale", "300", home=tmp_path)
    try:
        assert demo.stdout is not None
        assert "logging" in demo.stdout.readline()  # the history is being built, beside a champion and Envoy
        children = psutil.Process(demo.pid).children(recursive=True)
        assert len(children) >= 4

        second = done(python_ct("demo", home=tmp_path))
        assert second.status == 1
        assert "a demo runs in" in one_line(second)
    finally:
        demo.send_signal(signal.SIGTERM)
    ended = done(demo)
    assert ended.status == 130
    assert "Traceback" not in ended.err
    assert [child for child in children if child.is_running()] == []
