"""A rollout over the real registry on SQLite: the aliases that serving follows are really moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ct_assets.registry import Registry
from ct_assets.rollout import Phase


class WithAliases(Registry):
    """The real one, which also shows its aliases as the world's dictionary does."""

    @property
    def aliases(self) -> dict[str, str]:
        named = {alias: self.by_alias(alias) for alias in ("champion", "challenger", "previous_champion")}
        return {alias: version.version for alias, version in named.items() if version is not None}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> WithAliases:
    registry = WithAliases(f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}", "fraud-detector")
    run = registry.client.create_run(registry.experiment()).info.run_id
    for _ in range(3):
        registry.register(run_id=run, source=f"runs:/{run}/model", tags={})
    return registry


@pytest.fixture
def rolled(make_world: Callable[..., Any], registry: WithAliases) -> Any:
    world = make_world(champion=None, challenger=None)
    world.registry = registry
    return world


def test_promotion_and_rollback_leave_the_right_aliases_and_tags(rolled: Any, registry: WithAliases) -> None:
    registry.set_alias("challenger", "1")
    assert rolled.run("first") is Phase.PROMOTED
    assert registry.aliases == {"champion": "1"}

    registry.set_alias("challenger", "2")
    assert rolled.run("second") is Phase.PROMOTED
    assert registry.aliases == {"champion": "2", "previous_champion": "1"}
    assert registry.get("2").tags["ct.rollout"] == "promoted"

    registry.set_alias("challenger", "3")
    rolled.weather.challenger_rate = 0.3
    assert rolled.run("third") is Phase.ROLLED_BACK
    assert registry.aliases == {"champion": "2", "previous_champion": "1"}
    assert registry.get("3").tags["ct.rollout"] == "rolled_back"
    assert "limit 1.00%" in registry.get("3").tags["ct.rollout_reason"]
