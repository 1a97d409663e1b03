"""The promise of the guard, on the traffic of the demo: no false alarm in 280 quiet days, no missed day of a drift;
and nothing is retrained on the ones, and something on the first of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from ct_assets.calendar import Rules, Slot
from ct_assets.catalog import load_spec
from ct_assets.demo import ENTITY, FEATURES, FraudTraffic, Regime, generate
from ct_assets.drift import DriftVerdict, Outcome, Reference, check_names, judge
from ct_assets.drift.facts import Facts, Judged, LabelSufficiency
from ct_assets.drift.trigger import Action, Trigger, decide
from ct_assets.spec import ModelSpec

FIRST, HISTORY, WATCHED, PER_DAY = date(2024, 1, 1), 90, 14, 1500
CHANGE = FIRST + timedelta(days=HISTORY)
SEEDS = range(20)
SPEC: ModelSpec = load_spec("fraud_detector").model_copy(
    update={"features": dict(FEATURES), "entity": ENTITY}
)


def fortnight(seed: int, regime: Regime = Regime.NONE, new_category: bool = False) -> Iterator[DriftVerdict]:
    """14 days judged against a sample of the 90 before; `p_fraud` stands for the scores of a perfect model."""
    frame = generate(
        FraudTraffic(
            first_day=FIRST,
            days=HISTORY + WATCHED,
            seed=seed,
            tx_per_day=PER_DAY,
            regime=regime,
            drift_from=CHANGE,
            new_category_from=CHANGE if new_category else None,
        )
    )
    before = frame.head(HISTORY * PER_DAY)
    sample = np.sort(
        np.random.default_rng(seed).choice(len(before), SPEC.drift.reference_rows, replace=False)
    )
    scores = before.tail(3 * PER_DAY)["p_fraud"].to_numpy()
    reference = Reference(
        before.select(*FEATURES)[sample].to_arrow(), scores, "1", False, "sample of 90 days"
    )
    live = frame.select(*FEATURES, pl.col("p_fraud").alias("prediction"), pl.lit("1").alias("model_version"))
    for n in range(HISTORY, HISTORY + WATCHED):
        day = FIRST + timedelta(days=n)
        rows: pa.Table = live.slice(n * PER_DAY, PER_DAY).to_arrow()
        evaluated_at = datetime(2024, 8, 1, tzinfo=UTC)
        yield judge(
            SPEC, day=day, current=rows, reference=reference, fingerprint="f", evaluated_at=evaluated_at
        )


def decisions(verdicts: Iterable[DriftVerdict]) -> Iterator[Trigger]:
    """What the trigger says on each day as soon as it is judged, with labels for a retraining at hand."""
    judged: dict[date, Judged] = {}
    for n, verdict in enumerate(verdicts):
        day = verdict.day
        judged[day] = Judged(
            day, verdict.outcome, verdict.fingerprint, verdict.champion, f"e{n}", verdict.reason
        )
        slot = Slot(day, 1, None, verdict.fingerprint)
        facts = Facts(
            now=slot.end + Rules.of(SPEC.calendar).grace,
            live=slot,
            live_fingerprint=verdict.fingerprint,
            judged=dict(judged),
            champion="1",
            in_flight=False,
            last_retrained=None,
            labels=LabelSufficiency(10_000, 300, 1_000, 30, None),
        )
        yield decide(facts, SPEC)


def test_no_day_of_twenty_quiet_fortnights_is_red_where_the_bare_contract_alarms_again_and_again() -> None:
    fortnights = [list(fortnight(seed)) for seed in SEEDS]
    verdicts = [verdict for days in fortnights for verdict in days]
    bare = Counter(r.check for v in verdicts for r in v.rules if r.contract is Outcome.DRIFT)
    assert len(verdicts) == 280
    assert {(v.day, v.reason) for v in verdicts if v.outcome is not Outcome.PASS} == set()
    assert 14 <= bare["chisquare_merchant_category"] <= 60  # one day in ten or so
    assert all(tuple(r.check for r in v.rules) == check_names(SPEC) for v in verdicts)
    said = [trigger for days in fortnights for trigger in decisions(days)]
    assert {(t.action, t.reason.split(":")[0]) for t in said} == {
        (Action.HOLD, f"no drift on {CHANGE + timedelta(days=n)}") for n in range(WATCHED)
    }


@pytest.mark.parametrize("regime", [Regime.COVARIATE, Regime.CONCEPT])
@pytest.mark.parametrize("seed", [3, 42])
def test_a_drift_is_red_on_every_day_and_retrains_once_its_labels_are_in_the_window(
    regime: Regime, seed: int
) -> None:
    days = list(fortnight(seed, regime))
    assert [verdict.outcome for verdict in days] == [Outcome.DRIFT] * WATCHED
    said = list(decisions(days))
    # four days to learn from, three of holdout, seven for the labels: the fourteenth day is the first
    assert [trigger.action for trigger in said] == [Action.WAIT] * 13 + [Action.RETRAIN]
    assert {trigger.until for trigger in said[:-1]} == {said[-1].day}


@pytest.mark.parametrize("seed", [3, 42])
def test_a_broken_upstream_is_a_data_fault_on_every_day_and_never_drift(seed: int) -> None:
    days = list(fortnight(seed, Regime.BROKEN))
    assert [verdict.outcome for verdict in days] == [Outcome.DATA_FAULT] * WATCHED
    assert {trigger.action for trigger in decisions(days)} == {Action.HOLD}


@pytest.mark.parametrize("seed", [3, 42])
def test_a_category_that_nobody_used_before_is_red_on_every_day(seed: int) -> None:
    red = [
        rule.outcome
        for verdict in fortnight(seed, new_category=True)
        for rule in verdict.rules
        if rule.check == "chisquare_merchant_category"
    ]
    assert red == [Outcome.DRIFT] * WATCHED
