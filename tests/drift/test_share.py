from __future__ import annotations

from ct_assets.drift.share import judge_share
from ct_assets.drift.verdict import Outcome, RuleVerdict
from ct_assets.spec import DriftSpec

P, D, I, F = Outcome.PASS, Outcome.DRIFT, Outcome.INCONCLUSIVE, Outcome.DATA_FAULT  # noqa: E741


def features(*outcomes: Outcome, contract: Outcome | None = None) -> dict[str, list[RuleVerdict]]:
    return {
        f"f{n}": [
            RuleVerdict(
                check=f"psi_f{n}",
                feature=f"f{n}",
                method="psi",
                value=0.1,
                threshold=0.2,
                contract=contract or outcome,
                outcome=outcome,
                reason=f"f{n} said so",
            )
        ]
        for n, outcome in enumerate(outcomes)
    }


def share(
    verdicts: dict[str, list[RuleVerdict]],
    *,
    limit: float = 0.30,
    guard: bool = True,
    ruled: tuple[str, ...] = (),
) -> RuleVerdict:
    return judge_share(DriftSpec(max_drifted_share=limit, guard=guard), verdicts, ruled)


def test_a_share_at_the_limit_is_drift_and_below_it_is_not() -> None:
    assert share(features(*[D] * 3, *[P] * 7)).outcome is D
    assert share(features(*[D] * 2, *[P] * 8)).outcome is P


def test_the_reason_counts_and_names_the_features() -> None:
    found = share(features(D, D, P, P))
    assert found.reason == "2 of 4 features drifted (50%; the limit is 30%): f0, f1"
    assert share(features(*[D] * 8)).reason.endswith("f0, f1, f2, f3, f4 and 3 more")


def test_columns_that_the_guard_takes_for_noise_cross_the_contract_and_are_not_drift() -> None:
    noise = share(features(P, P, contract=D))
    assert (noise.contract, noise.guard, noise.outcome) == (D, False, P)
    assert (noise.value, noise.effect) == (1.0, 0.0)


def test_without_the_guard_the_bare_share_counts() -> None:
    bare = share(features(D, P, P), guard=False)
    assert (bare.outcome, bare.guard, bare.effect) == (D, None, None)


def test_features_that_could_tip_the_share_but_were_not_judged_make_it_inconclusive() -> None:
    open_ = share(features(D, I, I, P, P, P, P, P))
    assert open_.outcome is I
    assert open_.reason.endswith("and 2 could not be judged: f1, f2")
    assert share(features(I, P, P, P, P, P, P, P)).outcome is P  # one more could not tip it


def test_a_fault_of_a_feature_without_a_rule_is_told_here() -> None:
    assert share(features(F, P, P, P)).outcome is F
    assert "f0 said so" in share(features(F, P, P, P)).reason


def test_a_fault_that_has_a_check_of_its_own_is_told_there() -> None:
    assert share(features(F, P, P, P), ruled=("f0",)).outcome is P
    assert share(features(F, D, P, P), ruled=("f0",), limit=0.5).outcome is I


def test_no_judged_feature_gives_no_number() -> None:
    nothing = share(features(I, I))
    assert (nothing.value, nothing.effect, nothing.outcome) == (None, None, I)
