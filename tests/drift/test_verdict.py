from __future__ import annotations

from collections.abc import Callable

import msgspec
import pyarrow as pa
import pytest

from ct_assets.drift import DriftVerdict, Outcome, decode, encode
from ct_assets.drift.verdict import worst


def test_a_verdict_survives_json_unchanged(
    judged: Callable[..., DriftVerdict], traffic: Callable[..., pa.Table]
) -> None:
    for current in (traffic(1000, 7), traffic(1000, 7, amount_factor=3), traffic(20, 7)):
        verdict = judged(current)
        assert decode(encode(verdict)) == verdict


def test_json_says_what_was_not_computed_as_null(
    judged: Callable[..., DriftVerdict], traffic: Callable[..., pa.Table]
) -> None:
    stored = msgspec.json.decode(encode(judged(traffic(20, 7))))
    assert stored["day"] == "2024-05-01"
    assert [rule["value"] for rule in stored["rules"]] == [None] * 5


def test_a_stored_verdict_with_an_unknown_outcome_is_refused_by_name(
    judged: Callable[..., DriftVerdict], traffic: Callable[..., pa.Table]
) -> None:
    body = encode(judged(traffic(1000, 7))).replace(b'"pass"', b'"fine"')
    with pytest.raises(msgspec.ValidationError, match="fine"):
        decode(body)


def test_broken_data_outweighs_drift_which_outweighs_not_knowing_which_outweighs_pass() -> None:
    assert worst([Outcome.PASS]) is Outcome.PASS
    assert worst([Outcome.PASS, Outcome.INCONCLUSIVE]) is Outcome.INCONCLUSIVE
    assert worst([Outcome.INCONCLUSIVE, Outcome.DRIFT]) is Outcome.DRIFT
    assert worst([Outcome.DRIFT, Outcome.DATA_FAULT]) is Outcome.DATA_FAULT
    assert worst([]) is Outcome.INCONCLUSIVE
