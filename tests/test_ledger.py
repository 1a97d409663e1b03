"""The ledger: a decision is written once, is never changed, and is read in the order of its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ct_assets.lake.store import Lake
from ct_assets.ledger import Entry, Ledger

START = datetime(2024, 5, 1, 6, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"file://{tmp_path}")


@pytest.fixture
def ledger(lake: Lake) -> Ledger:
    return Ledger(lake)


def entry(minute: int = 0, **replaced: Any) -> Entry:
    fields: dict[str, Any] = {
        "at": START + timedelta(minutes=minute),
        "model": "churn",
        "kind": "gate",
        "action": "promote",
        "reason": "AUC 0.93 >= 0.91",
    }
    return Entry(**(fields | replaced))


def test_a_row_is_read_as_it_was_written(ledger: Ledger) -> None:
    row = entry(
        day="2024-04-30",
        version="3",
        run_id="r1",
        actor="ann",
        evidence={"auc": 0.93, "slices": ["a", {"n": 1}]},
    )
    assert ledger.append(row)
    assert ledger.read("churn") == [row]


def test_an_empty_ledger_has_no_rows(ledger: Ledger) -> None:
    assert ledger.read("churn") == []


def test_the_very_same_row_stands_once(ledger: Ledger) -> None:
    assert ledger.append(entry())
    assert not ledger.append(entry())
    assert len(ledger.read("churn")) == 1


def test_the_same_row_told_in_another_zone_or_order_is_the_same_row(ledger: Ledger) -> None:
    assert ledger.append(entry(evidence={"a": 1, "b": {"c": 2, "d": 3}}))
    elsewhere = START.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert not ledger.append(entry(at=elsewhere, evidence={"b": {"d": 3, "c": 2}, "a": 1}))


@pytest.mark.parametrize(
    "replaced", [{"reason": "other"}, {"action": "reject"}, {"evidence": {"auc": 0.9}}, {"actor": "ann"}]
)
def test_two_decisions_of_one_instant_are_two_rows(ledger: Ledger, replaced: dict[str, Any]) -> None:
    assert ledger.append(entry())
    assert ledger.append(entry(**replaced))
    assert len(ledger.read("churn")) == 2


def test_a_naive_time_is_refused(ledger: Ledger) -> None:
    with pytest.raises(
        ValueError, match="gate 'promote' of churn at 2024-05-01 06:00:00 has no zone; use UTC"
    ):
        ledger.append(entry(at=START.replace(tzinfo=None)))
    assert ledger.read("churn") == []


def test_evidence_that_is_not_plain_json_is_refused(ledger: Ledger) -> None:
    with pytest.raises(TypeError, match="evidence of type object is not plain JSON"):
        ledger.append(entry(evidence={"model": object()}))
    assert ledger.read("churn") == []


def test_computed_numbers_are_evidence_too(ledger: Ledger) -> None:
    ledger.append(entry(evidence={"auc": np.float64(0.93), "rows": np.int64(7), "better": np.bool_(True)}))
    assert ledger.read("churn")[0].evidence == {"auc": 0.93, "rows": 7, "better": True}


def test_a_kind_is_read_alone(ledger: Ledger) -> None:
    for kind in ("gate", "drift", "gate", "rollout"):
        ledger.append(entry(len(ledger.read("churn")), kind=kind))
    assert [row.kind for row in ledger.read("churn", kind="gate")] == ["gate", "gate"]
    assert ledger.read("churn", kind="champion") == []


def test_a_model_reads_its_own_rows_only(ledger: Ledger) -> None:
    for model in ("churn", "churn2", "chur"):
        ledger.append(entry(model=model))
    assert [row.model for row in ledger.read("churn")] == ["churn"]


def test_a_row_that_cannot_be_read_is_named(ledger: Ledger, lake: Lake) -> None:
    ledger.append(entry())
    lake.put("ledger/churn/2024/05/20240501T000000.000000-gate-0.json", b'{"at": 1')
    with pytest.raises(
        ValueError, match=r"ledger/churn/2024/05/20240501T000000\.000000-gate-0\.json: no row of the ledger"
    ):
        ledger.read("churn")


def test_a_row_of_a_newer_release_is_read_without_what_it_does_not_know(ledger: Ledger, lake: Lake) -> None:
    body = msgspec.json.encode(msgspec.to_builtins(entry()) | {"approved_by": "ann"})
    lake.put("ledger/churn/2024/05/20240501T060000.000000-gate-0.json", body)
    assert ledger.read("churn") == [entry()]


SECONDS = st.integers(0, 400 * 86_400)


@given(
    moments=st.lists(SECONDS, max_size=12, unique=True),
    kinds=st.lists(st.sampled_from(["gate", "drift"]), min_size=12),
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_read_in_the_order_of_their_time_whenever_they_were_written(
    moments: list[int], kinds: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = Ledger(Lake(f"file://{tmp_path_factory.mktemp('lake')}"))
    rows = [
        entry(at=START + timedelta(seconds=moment), kind=kind)
        for moment, kind in zip(moments, kinds, strict=False)
    ]
    assert all(ledger.append(row) for row in rows)
    assert ledger.read("churn") == sorted(rows, key=lambda row: row.at)
