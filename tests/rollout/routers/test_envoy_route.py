"""What the route file says to Envoy, and what it says to us."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ct_assets.rollout.plan import stages
from ct_assets.rollout.routers.envoy_route import PREDICTION_PREFIXES, parse, render
from ct_assets.rollout.state import Count, Counters, Phase, Route, RouteState, Seen, StepRecord
from ct_assets.rollout.transitions import entered, opened
from ct_assets.spec import RolloutSpec

OPEN = opened(RouteState(), stages(RolloutSpec()), "7", "6", "run", 1e9)
counts = st.builds(Count, st.integers(0, 10**9), st.integers(0, 10**6))
seen = st.builds(Seen, counts, counts, counts)
times = st.floats(0, 4e9)
records = st.builds(
    StepRecord,
    stage=st.text(max_size=20),
    weight=st.integers(0, 100),
    started=times,
    ended=times,
    seen=seen,
    log_e=st.floats(-1e3, 1e3),
    passed=st.booleans(),
    reason=st.text(max_size=80),
)


@settings(max_examples=40)
@given(
    seen,
    st.lists(records, max_size=5),
    times,
    st.one_of(st.none(), times),
    st.one_of(st.none(), st.builds(Counters, st.text(max_size=30), counts, counts, counts)),
    st.text(max_size=100),
)
def test_a_state_comes_back_from_the_route_as_it_went_in(
    evidence: Seen,
    history: list[StepRecord],
    since: float,
    taken: float | None,
    mark: Counters | None,
    reason: str,
) -> None:
    state = replace(
        OPEN, seen=evidence, history=tuple(history), since=since, taken=taken, mark=mark, reason=reason
    )
    assert parse(json.dumps(render(state, 12)).encode()) == Route(12, state)


def test_predictions_are_split_and_everything_else_is_left_to_the_champion() -> None:
    shadow = entered(OPEN, 1e9)
    routes = render(shadow, 1)["resources"][0]["virtual_hosts"][0]["routes"]
    assert [r["match"]["prefix"] for r in routes] == [*PREDICTION_PREFIXES, "/"]
    for predictions in routes[:-1]:
        action = predictions["route"]
        assert action["weighted_clusters"]["clusters"] == [
            {"name": "champion", "weight": 100},
            {"name": "guarded", "weight": 0},
        ]
        assert action["request_mirror_policies"][0]["cluster"] == "challenger_shadow"
    assert routes[-1]["route"]["cluster"] == "champion_other"
    ten = render(replace(shadow, weight=10, mirror_percent=0), 1)
    assert "request_mirror_policies" not in json.dumps(ten)


@pytest.mark.parametrize(
    "changes",
    [
        {"weight": -5},
        {"weight": 30},
        {"weight": 130},
        {"weight": 10, "mirror_percent": 101},
        {"weight": 10, "phase": Phase.ROLLED_BACK},
        {"weight": 100, "phase": Phase.PROMOTED},
    ],
)
def test_a_weight_that_is_not_of_the_plan_is_never_written(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"rollout 1-v7: weight"):
        render(replace(OPEN, **changes), 1)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"version_info": "x", "resources": []}'])
def test_a_document_without_a_state_is_no_route(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"filter_metadata|JSON|truncated"):
        parse(body)
