"""Turns what was played into a verdict: what had to happen, whether it did, and the numbers to show."""

from __future__ import annotations

from dataclasses import dataclass

from ct_assets.demo.deployment import Deployment
from ct_assets.demo.fraud_traffic import ceiling_auc
from ct_assets.demo.registry_look import FIRST, RegistrySeen, newest_week
from ct_assets.demo.story import Played, Story
from ct_assets.demo.verdict import Auc, Expectation, Requests, ScenarioVerdict, Step
from ct_assets.drift.verdict import Outcome
from ct_assets.embedded.ports import HOST
from ct_assets.lake.window import days_between
from ct_assets.rollout.look import serving_version
from ct_assets.rollout.routers.envoy import EnvoyRouter
from ct_assets.rollout.state import RouteState, StepRecord

__all__ = ["find"]


@dataclass(frozen=True)
class _Facts:
    """The state of the deployment at the end of a story, read once."""

    champion: str | None
    challenger: str | None
    served: str | None
    route: RouteState
    retrainings: int
    judged_days: int
    red_days: int


def find(story: Story, played: Played, deployment: Deployment, seen: RegistrySeen) -> ScenarioVerdict:
    """The verdict of a story that has just ended, its processes still running; `seen`: its registry."""
    watch, live = story.watch, story.timeline.live
    facts = _facts(story, deployment, seen)
    red = watch.red_checks(live)
    auc = _auc(story, seen)
    checks = [*_always(played, story), *_EXPECTED[story.scenario.ends_with](facts, played, red, auc, story)]
    trigger, gate = watch.last("trigger", "retrain") or watch.last("trigger"), watch.last("gate")
    end = watch.last("rollout", "promote", "rolled_back")
    return ScenarioVerdict(
        name=story.scenario.name,
        story=story.scenario.story,
        ok=all(check.ok for check in checks),
        expectations=checks,
        drifted=red,
        trigger=f"{trigger.action}: {trigger.reason}" if trigger else "none was taken",
        gate=f"{gate.action}: {gate.reason}" if gate else None,
        rollout=f"{end.action}: {end.reason}" if end else None,
        steps=[_step(record) for record in facts.route.history] if end else [],
        requests=Requests(
            served=played.answers.served,
            failed=played.answers.failed,
            labels=played.answers.labels,
            challenger_failures_hidden=sum(_failures(record) for record in facts.route.history) if end else 0,
        ),
        auc=auc,
        seconds={name: round(value, 1) for name, value in played.seconds.items()},
        restarts=played.restarts,
    )


def _facts(story: Story, deployment: Deployment, seen: RegistrySeen) -> _Facts:
    verdicts = story.watch.verdicts(days_between(story.timeline.first_traffic_day, story.timeline.live))
    return _Facts(
        champion=seen.champion,
        challenger=seen.challenger,
        served=serving_version(f"http://{HOST}:{deployment.ports.champion}"),
        route=EnvoyRouter(deployment.routes, f"http://{HOST}:{deployment.ports.admin}").read().state,
        retrainings=sum(e.kind == "training" and e.action == "train" for e in story.watch.entries()),
        judged_days=len(verdicts),
        red_days=sum(v.outcome is Outcome.DRIFT for v in verdicts.values()),
    )


def _always(played: Played, story: Story) -> list[Expectation]:
    answers = played.answers
    return [
        Expectation(
            "the loop ended as told", played.ended == story.scenario.ends_with, f"it ended: {played.ended}"
        ),
        Expectation(
            "no request of a user failed",
            answers.failed == 0 and answers.served > 0,
            f"{answers.failed} of {answers.served + answers.failed} failed; first: {answers.failures[:3]}",
        ),
    ]


def _held(facts: _Facts, played: Played, red: list[str], auc: Auc, story: Story) -> list[Expectation]:
    return [
        Expectation(
            "all 14 days judged, none red",
            (facts.judged_days, facts.red_days) == (14, 0),
            f"{facts.judged_days} judged, {facts.red_days} red",
        ),
        Expectation("nothing retrained", facts.retrainings == 0, f"{facts.retrainings} retrainings"),
        Expectation(
            "the champion stays",
            facts.champion == facts.served == FIRST,
            f"alias {facts.champion}, served {facts.served}",
        ),
    ]


def _retrained(facts: _Facts, red: list[str], story: Story) -> list[Expectation]:
    gate = story.watch.last("gate")
    return [
        Expectation("the live day is red", bool(red), "no check said drift"),
        Expectation("retrained once", facts.retrainings == 1, f"{facts.retrainings} retrainings"),
        Expectation(
            "the candidate passed the gate",
            gate is not None and gate.action == "promote",
            gate.reason if gate else "no gate",
        ),
        Expectation("alias challenger is clear", facts.challenger is None, f"it names {facts.challenger}"),
    ]


def _promoted(facts: _Facts, played: Played, red: list[str], auc: Auc, story: Story) -> list[Expectation]:
    stages = [record.stage for record in facts.route.history if record.passed]
    old, new = auc.old_champion, auc.new_version
    better = old is not None and new is not None and new > old
    return [
        *_retrained(facts, red, story),
        Expectation(
            "every stage passed", stages == [stage.name for stage in facts.route.plan], f"passed: {stages}"
        ),
        Expectation(
            "the new version is champion, and served",
            facts.champion == facts.served == "2",
            f"alias {facts.champion}, served {facts.served}",
        ),
        Expectation("it is better on the newest week", better, f"AUC {new} against {old}"),
    ]


def _rolled_back(facts: _Facts, played: Played, red: list[str], auc: Auc, story: Story) -> list[Expectation]:
    failures = sum(_failures(record) for record in facts.route.history)
    return [
        *_retrained(facts, red, story),
        Expectation("the challenger's failures were seen", failures > 0, "none was counted"),
        Expectation(
            "the champion stays",
            facts.champion == facts.served == FIRST,
            f"alias {facts.champion}, served {facts.served}",
        ),
        Expectation(
            "all traffic is on the champion",
            facts.route.weight == 0,
            f"{facts.route.weight} % on the challenger",
        ),
    ]


_EXPECTED = {"held": _held, "promoted": _promoted, "rolled_back": _rolled_back}


def _failures(record: StepRecord) -> int:
    return record.seen.shadow.sane.k + record.seen.challenger.sane.k


def _step(record: StepRecord) -> Step:
    judged = (record.seen.shadow if record.weight == 0 else record.seen.challenger).sane
    return Step(
        stage=record.stage,
        weight_percent=record.weight,
        seconds=round(record.ended - record.started, 1),
        challenger_requests=judged.n,
        challenger_errors=judged.k,
        passed=record.passed,
        reason=record.reason,
    )


def _auc(story: Story, seen: RegistrySeen) -> Auc:
    week = newest_week(story.rows, story.timeline.live)
    return Auc(
        rows=week.height, ceiling=ceiling_auc(week), old_champion=seen.first_auc, new_version=seen.newest_auc
    )
