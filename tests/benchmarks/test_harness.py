"""The harness: what a benchmark measured is printed, written and held to its targets."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks import harness
from benchmarks.harness import Bench, Target, machine, main_of, modules, run_all, spread


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Bench.write, "__defaults__", (tmp_path,))
    return tmp_path


def measure(bench: Bench) -> None:
    bench.row(what="gate", rows=1_000 if bench.quick else 200_000, cpu_s=spread([1.0, 3.0, 2.0]))
    bench.row(what="report", cpu_s=None, note="off")
    bench.target("cpu_s of the gate", spread([1.0, 3.0, 2.0]), "<=", 1.5)
    bench.target("rows a second", 10_000, ">=", 5_000)


def test_a_benchmark_is_written_with_machine_rows_and_targets(results: Path) -> None:
    main_of("gate", measure, [])
    found = json.loads((results / "gate.json").read_text())
    assert (found["name"], found["quick"]) == ("gate", False)
    assert found["rows"] == [
        {"what": "gate", "rows": 200_000, "cpu_s": {"median": 2.0, "low": 1.0, "high": 3.0, "n": 3}},
        {"what": "report", "cpu_s": None, "note": "off"},
    ]
    assert found["targets"] == [
        {"name": "cpu_s of the gate", "value": 2.0, "op": "<=", "limit": 1.5, "ok": False},
        {"name": "rows a second", "value": 10_000.0, "op": ">=", "limit": 5_000, "ok": True},
    ]
    assert found["machine"].keys() == {"cpu", "cores", "memory_gib", "load_1m", "system", "python"}


def test_a_missed_target_fails_the_run_unless_it_is_quick(results: Path) -> None:
    assert main_of("gate", measure, []) == 1
    assert main_of("gate", measure, ["--quick"]) == 0
    assert json.loads((results / "gate.json").read_text())["rows"][0]["rows"] == 1_000


def test_met_targets_pass(results: Path) -> None:
    assert main_of("gate", lambda bench: bench.target("s", 1.0, "<=", 1.0) and None, []) == 0


@pytest.mark.parametrize(
    ("value", "op", "ok"),
    [
        (1.0, "<=", True),
        (1.1, "<=", False),
        (1.0, ">=", True),
        (0.9, ">=", False),
        (None, "<=", False),
        (None, ">=", False),
    ],
)
def test_a_target_is_met_on_its_side_of_the_limit_and_never_unmeasured(
    value: float | None, op: str, ok: bool
) -> None:
    assert Target("t", value, op, 1.0).ok is ok  # type: ignore[arg-type]


def test_a_number_that_is_none_counts_as_not_measured() -> None:
    found = Bench("b").target("t", math.nan, "<=", 1.0)
    assert (found.value, found.ok) == (None, False)


def test_the_tables_say_what_is_met_missed_and_not_measured(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    main_of("gate", measure, ["--quick"])
    said = capsys.readouterr().out
    for part in (
        "numbers say little",
        "2 (1 to 3, n=3)",
        "not measured",
        "MISSED",
        "met",
        ">= 5,000",
        "1,000",
        "10,000",
    ):
        assert part in said, part


def test_the_machine_is_told_without_its_name() -> None:
    found = machine()
    assert int(found["cores"]) >= 1
    assert float(found["memory_gib"]) > 0


def test_benchmarks_are_found_by_their_main_without_being_imported(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text("raise RuntimeError('imported')\n\ndef main(bench): ...\n")
    (tmp_path / "helper.py").write_text("def mean(): ...\n")
    assert modules(tmp_path) == ["loop"]
    assert not {"harness", "cost", "spread"} & set(modules())


def test_all_are_run_and_the_failed_ones_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "benchmarks"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "good.py").write_text("import sys; print('args', sys.argv[1:])")
    (package / "bad.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr(harness, "ROOT", tmp_path)
    assert run_all(["good"], quick=True) == 0
    assert run_all(["good", "bad"], quick=False) == 1
    said = capfd.readouterr().out
    assert "args ['--quick']" in said
    assert "1 of 1 benchmarks met their targets" in said
    assert "1 of 2 benchmarks met their targets\n  not: bad" in said
