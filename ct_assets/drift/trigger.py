"""Retrain, wait for labels, or hold? One pure decision over the facts of a moment, with the reason in a sentence.

The rules are asked in a fixed order and the first that objects decides; only what passes all of them is a retraining.
Nothing is remembered between two calls, so waiting needs no bookkeeping: a later call finds the labels there. A reason
names days and counts, never a clock, so the same situation is told in the same words at every tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from ct_assets.calendar import Rules, Slot
from ct_assets.drift.facts import Facts, Judged
from ct_assets.drift.verdict import Outcome
from ct_assets.spec import ModelSpec

__all__ = ["Action", "Trigger", "decide"]


class Action(StrEnum):
    """What to do now."""

    RETRAIN = "retrain"
    WAIT = "wait"
    """It should be retrained, and the labels for it are still on their way."""
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Trigger:
    """The decision, and what it rests on."""

    action: Action
    reason: str
    day: date | None = None
    """The live day; the as-of day of the retraining."""
    evaluation: str | None = None
    until: date | None = None
    """The first live day on which the answer may differ, where that is known."""


def decide(facts: Facts, spec: ModelSpec) -> Trigger:
    """The one trigger of a model: what its red checks lead to."""
    if facts.champion is None:
        return Trigger(
            Action.HOLD,
            f"no version of {spec.registered_model} is champion yet: train the first one with `ct retrain {spec.model}`, "
            "or materialize its retrained_model for an as-of day; drift retrains a champion, it does not make one",
        )
    live = facts.live
    if live is None:
        return Trigger(Action.HOLD, "no live day: no day with rows is due yet")
    judged = facts.judged.get(live.day)
    objection = _too_old(facts, live, spec) or _not_judged_as_it_is(facts, live, judged)
    if objection is not None:
        return objection
    assert judged is not None  # an unjudged day has been objected to
    return (
        _not_drift(judged)
        or _not_persistent(facts, judged, spec)
        or _busy_or_just_done(facts, judged, spec)
        or _too_new_to_learn(facts, judged, spec)
        or _labels_or_go(facts, judged, spec)
    )


def _too_old(facts: Facts, live: Slot, spec: ModelSpec) -> Trigger | None:
    rules = Rules.of(spec.calendar)
    if facts.now - (live.end + rules.grace) <= rules.max_age:
        return None
    return Trigger(
        Action.HOLD,
        f"the newest day with rows, {live.day}, was due more than {rules.max_age.days} days ago: nothing is live",
        live.day,
    )


def _not_judged_as_it_is(facts: Facts, live: Slot, judged: Judged | None) -> Trigger | None:
    """The verdict must be there, against the present champion, on the present rows."""
    if judged is None:
        return Trigger(Action.HOLD, f"the live day {live.day} is not judged yet", live.day)
    if judged.champion != facts.champion:
        against = "a hypothetical reference" if judged.champion is None else f"version {judged.champion}"
        return _hold(
            judged, f"{judged.day} was judged against {against}, and version {facts.champion} is champion now"
        )
    if judged.fingerprint != facts.live_fingerprint:
        return _hold(
            judged,
            f"the verdict on {judged.day} is stale: rows came after it was judged, so it is judged again first",
        )
    return None


def _not_drift(judged: Judged) -> Trigger | None:
    match judged.outcome:
        case Outcome.DRIFT:
            return None
        case Outcome.DATA_FAULT:
            return _hold(
                judged,
                f"data fault on {judged.day}, which blocks retraining until it is repaired: {judged.reason}",
            )
        case Outcome.INCONCLUSIVE:
            return _hold(judged, f"{judged.day} is inconclusive: {judged.reason}")
        case Outcome.PASS:
            return _hold(judged, f"no drift on {judged.day}: {judged.reason}")


def _drifted(facts: Facts, judged: Judged, spec: ModelSpec) -> tuple[int, int]:
    """How many of the last n days judged against this champion drifted, and how many of those there are."""
    against = sorted(
        (j for j in facts.judged.values() if j.champion == facts.champion and j.day <= judged.day),
        key=lambda j: j.day,
    )
    last = against[-spec.drift.persistence.n :]
    return sum(j.outcome is Outcome.DRIFT for j in last), len(last)


def _not_persistent(facts: Facts, judged: Judged, spec: ModelSpec) -> Trigger | None:
    k, n = spec.drift.persistence.k, spec.drift.persistence.n
    drifted, seen = _drifted(facts, judged, spec)
    if drifted >= k:
        return None
    return _hold(
        judged,
        f"drift on {judged.day}, but on only {drifted} of the last {seen} days judged against version {facts.champion}; "
        f"{k} of {n} are needed",
    )


def _busy_or_just_done(facts: Facts, judged: Judged, spec: ModelSpec) -> Trigger | None:
    if facts.in_flight:
        return _hold(
            judged,
            f"drift on {judged.day}, and a retraining or the rollout of its candidate is already in flight",
        )
    cooldown, last = spec.drift.cooldown_days, facts.last_retrained
    if last is None or (judged.day - last).days > cooldown:
        return None
    until = last + timedelta(days=cooldown + 1)
    return _hold(
        judged,
        f"drift on {judged.day}, but a retraining as of {last} is done, and the cooldown of {cooldown} days lets the next "
        f"one start with the day {until}",
        until,
    )


def _too_new_to_learn(facts: Facts, judged: Judged, spec: ModelSpec) -> Trigger | None:
    """A drift of yesterday is in no training window yet: a candidate would be the champion over again."""
    if not spec.training.drift_days:
        return None
    since = judged.day
    for earlier in sorted(facts.judged.values(), key=lambda j: j.day, reverse=True):
        if earlier.champion != facts.champion or earlier.day > judged.day:
            continue
        if earlier.outcome is Outcome.PASS:
            break
        since = earlier.day if earlier.outcome is Outcome.DRIFT else since
    wait_days = spec.training.drift_days - 1 + spec.training.holdout_days + spec.label_delay_days
    until = since + timedelta(days=wait_days)
    if judged.day >= until:
        return None
    return Trigger(
        Action.WAIT,
        f"drift since {since}, and a training window holds {spec.training.drift_days} labelled days of it from the "
        f"as-of day {until} on",
        judged.day,
        judged.evaluation,
        until,
    )


def _labels_or_go(facts: Facts, judged: Judged, spec: ModelSpec) -> Trigger:
    labels = facts.labels() if callable(facts.labels) else facts.labels
    if labels is None:
        return Trigger(
            Action.WAIT,
            f"drift on {judged.day}, and the mature labels cannot be counted yet",
            judged.day,
            judged.evaluation,
        )
    if not labels.sufficient:
        since = (
            f"enough from the as-of day {labels.sufficient_from} on"
            if labels.sufficient_from
            else "no day with enough in sight"
        )
        lack = f" ({labels.lack})" if labels.lack else ""
        return Trigger(
            Action.WAIT,
            f"drift on {judged.day}, but its training window holds {labels.rows_mature:,} mature rows with {labels.positives:,} "
            f"positives, and {labels.needed_rows:,} with {labels.needed_positives:,} are needed{lack}: {since}",
            judged.day,
            judged.evaluation,
            labels.sufficient_from,
        )
    drifted, seen = _drifted(facts, judged, spec)
    return Trigger(
        Action.RETRAIN,
        f"drift on {judged.day} against version {facts.champion}, {drifted} of the last {seen} judged days, with "
        f"{labels.rows_mature:,} mature rows and {labels.positives:,} positives to learn from: {judged.reason}",
        judged.day,
        judged.evaluation,
    )


def _hold(judged: Judged, reason: str, until: date | None = None) -> Trigger:
    return Trigger(Action.HOLD, reason, judged.day, judged.evaluation, until)
