"""The demo sees the loop only through what it wrote: since when, which kind, and each row once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ct_assets.demo.watch import Watch
from ct_assets.drift import DriftVerdict, Outcome, RuleVerdict
from ct_assets.drift.archive import store_verdict
from ct_assets.lake.store import Lake
from ct_assets.ledger import Entry, Ledger

START = datetime(2024, 5, 2, 8, tzinfo=UTC)
DAY = date(2024, 5, 1)


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(Lake(f"file://{tmp_path / 'lake'}"), "shop", START)


@pytest.fixture
def say(watch: Watch) -> Callable[..., Entry]:
    """Puts a row into the ledger, `after_s` seconds after the start."""

    def write(kind: str, action: str, after_s: float = 1, **more: Any) -> Entry:
        entry = Entry(
            at=START + timedelta(seconds=after_s),
            model="shop",
            kind=kind,
            action=action,
            **({"reason": "because"} | more),
        )
        Ledger(watch.lake).append(entry)
        return entry

    return write


def rule(check: str, outcome: Outcome) -> RuleVerdict:
    return RuleVerdict(
        check=check,
        feature=None,
        method="psi",
        value=0.3,
        threshold=0.2,
        contract=outcome,
        outcome=outcome,
        reason="",
    )


def test_rows_from_before_the_story_are_not_its_own(watch: Watch, say: Callable[..., Entry]) -> None:
    say("champion", "promote", after_s=-1)
    assert watch.entries() == []
    own = say("trigger", "hold")
    assert watch.entries() == [own]


def test_the_last_word_of_a_kind_can_be_asked_for_by_action(watch: Watch, say: Callable[..., Entry]) -> None:
    retrain, hold = say("trigger", "retrain"), say("trigger", "hold", after_s=2)
    say("gate", "promote", after_s=3)
    assert watch.last("trigger") == hold
    assert watch.last("trigger", "retrain", "wait") == retrain
    assert watch.last("rollout") is None


def test_each_row_is_told_once_and_in_order(watch: Watch, say: Callable[..., Entry]) -> None:
    told: list[Entry] = []
    look = watch.news(told.append)
    first = say("trigger", "hold")
    look()
    look()
    second = say("trigger", "retrain", after_s=2)
    look()
    assert told == [first, second]


def test_days_that_one_run_judged_at_the_same_moment_are_all_told(
    watch: Watch, say: Callable[..., Entry]
) -> None:
    told: list[Entry] = []
    days = [say("drift", "pass", day=day) for day in ("2024-04-30", "2024-05-01")]
    watch.news(told.append)()
    assert sorted(told, key=lambda e: str(e.day)) == days


def test_red_checks_are_those_that_said_drift_and_none_where_nothing_was_judged(watch: Watch) -> None:
    assert watch.red_checks(DAY) == []
    rules = (
        rule("psi_amount", Outcome.DRIFT),
        rule("ks_hour", Outcome.PASS),
        rule("share", Outcome.INCONCLUSIVE),
    )
    verdict = DriftVerdict(
        model="shop",
        day=DAY,
        window_start=DAY,
        window_end=DAY,
        fingerprint="f",
        champion="1",
        hypothetical=False,
        reference="a sample",
        rows=10,
        reference_rows=10,
        rules=rules,
        outcome=Outcome.DRIFT,
        reason="",
        evaluated_at=START,
    )
    store_verdict(watch.lake, verdict, None)
    assert watch.red_checks(DAY) == ["psi_amount"]
    assert list(watch.verdicts([DAY, DAY + timedelta(days=1)])) == [DAY]
