"""The asset on days of every kind: what the checks say, how loud, and what a person finds beside them."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
import pytest

from ct_assets.lake.layout import report_key

D15, D16 = date(2024, 4, 15), date(2024, 4, 16)
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def outcomes(world: Any, day: date) -> dict[str, tuple[bool, str, Any]]:
    """Check name -> passed, outcome, severity."""
    return {
        name: (check.passed, check.metadata["outcome"].value, check.severity)
        for name, check in world.checks("drift_report", day).items()
    }


def test_a_drifted_day_is_red_as_an_error_with_its_numbers(world: Any) -> None:
    world.log(D15, shift=4.0)
    world.judge(D15)
    found = outcomes(world, D15)
    assert found["psi_amount"] == (False, "drift", ERROR)
    assert found["drifted_share"] == (False, "drift", ERROR)
    assert found["ks_hour"] == (True, "pass", WARN)
    check = world.checks("drift_report", D15)["psi_amount"]
    numbers = {name: check.metadata[name].value for name in ("value", "threshold", "effect", "noise floor")}
    assert numbers["value"] > numbers["threshold"] == 0.2
    assert numbers["effect"] > numbers["noise floor"] > 0
    assert check.metadata["judged against"].value == "1"
    rule = next(rule for rule in world.verdict(D15).rules if rule.check == "psi_amount")
    assert (check.description, numbers["value"]) == (rule.reason, rule.value)


def test_a_day_without_rows_is_inconclusive_as_a_warning_and_shows_no_number(world: Any) -> None:
    world.judge(D15)
    assert set(outcomes(world, D15).values()) == {(False, "inconclusive", WARN)}
    assert all("value" not in check.metadata for check in world.checks("drift_report", D15).values())
    assert world.metadata("drift_report", D15)["dagster/row_count"] == 0


def test_a_column_without_values_is_a_data_fault_that_costs_its_own_check_only(world: Any) -> None:
    world.log(D15, null="shop")
    world.judge(D15)
    found = outcomes(world, D15)
    assert found["chisquare_shop"] == (False, "data_fault", WARN)
    assert found["psi_amount"] == (True, "pass", WARN)
    assert world.metadata("drift_report", D15)["outcome"] == "data_fault"


def test_a_day_before_the_champion_s_is_judged_against_a_hypothetical_reference(world: Any) -> None:
    day = date(2024, 4, 13)
    world.judge(day)
    verdict = world.verdict(day)
    assert (verdict.champion, verdict.hypothetical) == (None, True)
    assert world.metadata("drift_report", day)["judged against"] == "no champion (hypothetical reference)"


def test_what_a_person_finds(world: Any) -> None:
    world.log(D15)
    run = world.judge(D15)
    shown = world.metadata("drift_report", D15)
    assert shown["outcome"] == "pass"
    assert shown["why"] == "none of 4 checks drifted"
    assert shown["rules"].startswith("| check | outcome |")
    assert shown["last 30 days"].startswith("![drift by rule](data:image/png;base64,")
    assert shown["report"] == f"{world.lake.url}/{report_key('toy', D15)}"
    assert (shown["dagster/row_count"], shown["reference rows"], shown["judged against"]) == (240, 2_000, "1")
    features = world.metadata("production_features", D15)
    assert (features["dagster/row_count"], features["fingerprint"]) == (240, shown["fingerprint"])
    (entry,) = world.ledger("drift")
    assert (entry.action, entry.day, entry.version, entry.run_id) == ("pass", "2024-04-15", "1", run.run_id)
    assert entry.evidence["psi_amount"]["outcome"] == "pass"


def test_a_page_or_a_picture_that_cannot_be_made_never_costs_the_verdict(
    world: Any, monkeypatch: Any
) -> None:
    for name in ("html_report", "plot"):
        monkeypatch.setattr(f"ct_assets.graph.drift_report.{name}", _broken)
    world.log(D15, shift=4.0)
    world.judge(D15)
    assert outcomes(world, D15)["psi_amount"] == (False, "drift", ERROR)
    shown = world.metadata("drift_report", D15)
    assert "report" not in shown, "no link to a page that is not there"
    assert "last 30 days" not in shown


@pytest.mark.usefixtures("real_pages")
def test_the_real_page_and_picture(world: Any) -> None:
    world.log(D15, shift=4.0)
    world.judge(D15)
    page = world.lake.get(report_key("toy", D15)).decode()
    assert len(page) > 1_000_000
    assert "psi_amount" in page
    assert len(world.metadata("drift_report", D15)["last 30 days"]) > 5_000


def test_a_run_over_days_in_any_order_gives_each_its_own(world: Any) -> None:
    world.log(D15)
    world.log(D16, shift=4.0)
    world.judge(D15, D16)
    assert outcomes(world, D15)["psi_amount"][1] == "pass"
    assert outcomes(world, D16)["psi_amount"][1] == "drift"
    assert world.metadata("drift_report", D15)["outcome"] == "pass"
    assert world.metadata("drift_report", D16)["outcome"] == "drift"


def _broken(*_: Any, **__: Any) -> bytes:
    raise ValueError("no page today")
