"""The three stories of the demo: what the traffic does, who trains, and what the loop must make of it."""

from __future__ import annotations

from dataclasses import dataclass

from ct_assets.demo.fraud_regimes import Regime

__all__ = ["SCENARIOS", "Scenario"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story."""

    name: str
    story: str
    regime: Regime
    ends_with: str
    """`promoted`, `rolled_back` or `held`."""
    new_category: bool = False
    """A merchant category that no holdout has seen turns up in the last week."""
    trainer: str | None = None
    """Instead of the one in `defs.yaml`."""


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="steady",
            story="Two weeks like the months before: nothing may happen.",
            regime=Regime.NONE,
            ends_with="held",
        ),
        Scenario(
            name="bad-model",
            story="Fraud moves; the retrained model is good on the holdout, but fails on a merchant category that is new this week.",
            regime=Regime.CONCEPT,
            ends_with="rolled_back",
            new_category=True,
            trainer="ct_assets.demo.brittle_trainer:train",
        ),
        Scenario(
            name="drift",
            story="Fraud moves; a better model is trained, judged, rolled out, and becomes champion.",
            regime=Regime.CONCEPT,
            ends_with="promoted",
        ),
    )
}
