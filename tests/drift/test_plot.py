from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from ct_assets.drift import DriftVerdict, Outcome, Reference
from ct_assets.drift.plot import DAYS, plot
from ct_assets.drift.table import markdown_table

DAY = date(2024, 5, 1)
Traffic = Callable[..., pa.Table]
Judge = Callable[..., DriftVerdict]
RED, PURPLE, GAP = (207, 34, 46), (130, 80, 223), (234, 238, 242)


def pixels(png: bytes) -> np.ndarray:
    """(height, width, 3), without the legend's strip at the top."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))[45:].astype(int)


def near(png: bytes, colour: tuple[int, int, int]) -> int:
    """Pixels of that colour, but for the strips' dashed threshold lines and the labels at the right."""
    picture = pixels(png)[:, 270:790]
    return int((np.abs(picture - colour).max(axis=2) < 12).sum())


@pytest.fixture
def month(judged: Judge, traffic: Traffic) -> list[DriftVerdict]:
    return [judged(traffic(600, n), day=DAY + n * timedelta(days=1)) for n in range(30)]


def test_a_month_of_five_checks_is_a_small_png(month: list[DriftVerdict]) -> None:
    png = plot(month)
    assert png.startswith(b"\x89PNG")
    assert len(png) < 60_000
    assert Image.open(io.BytesIO(png)).size == (920, 570)


def test_a_drifted_day_adds_red(month: list[DriftVerdict], judged: Judge, traffic: Traffic) -> None:
    red = judged(traffic(600, 99, amount_factor=2), day=month[10].day)
    assert near(plot([*month[:10], red, *month[11:]]), RED) > near(plot(month), RED) + 15


def test_a_data_fault_is_marked_apart(month: list[DriftVerdict], judged: Judge, traffic: Traffic) -> None:
    broken = judged(traffic(600, 99).drop_columns(["hour"]), day=month[10].day)
    assert broken.outcome is Outcome.DATA_FAULT
    assert near(plot(month), PURPLE) == 0
    assert near(plot([*month[:10], broken, *month[11:]]), PURPLE) > 5


def test_a_day_that_was_not_judged_is_a_gap(
    month: list[DriftVerdict], judged: Judge, traffic: Traffic
) -> None:
    few = judged(traffic(20, 99), day=month[10].day)
    whole, missing = near(plot(month), GAP), near(plot([*month[:10], *month[11:]]), GAP)
    assert missing > whole + 1000
    assert near(plot([*month[:10], few, *month[11:]]), GAP) == missing


def test_it_shows_the_newest_thirty_days_in_any_order(
    month: list[DriftVerdict], judged: Judge, traffic: Traffic
) -> None:
    older = [
        judged(traffic(600, 50 + n, amount_factor=2), day=DAY - n * timedelta(days=1)) for n in range(1, 4)
    ]
    assert len(month) == DAYS
    assert plot([*month[::-1], *older]) == plot(month)


def test_one_day_alone_can_be_drawn(month: list[DriftVerdict]) -> None:
    assert plot(month[:1]).startswith(b"\x89PNG")


def test_nothing_to_draw_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="needs one day at least"):
        plot([])


def test_the_table_has_a_row_a_check_and_marks_what_drifted(judged: Judge, traffic: Traffic) -> None:
    verdict = judged(traffic(1500, 5, amount_factor=1.8))
    lines = markdown_table(verdict).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:7]] == [
        f"`{rule.check}`" for rule in verdict.rules
    ]
    assert "🔴 drift" in lines[2]
    assert "🟢 pass" in lines[3]
    assert {line.count("|") for line in lines[:7]} == {8}


def test_the_table_shows_no_number_that_was_not_computed(judged: Judge, traffic: Traffic) -> None:
    line = markdown_table(judged(traffic(20, 5))).splitlines()[2]
    assert [cell.strip() for cell in line.split("|")[2:4]] == ["⚪ inconclusive", "–"]


def test_the_table_names_what_drifted_without_a_rule(
    judged: Judge, traffic: Traffic, replace_column: Callable[..., pa.Table]
) -> None:
    rows = traffic(1500, 5)
    table = markdown_table(judged(replace_column(rows, "age", rows["age"].to_numpy() * 3)))
    assert "Drifted without a rule of their own (PSI): `age`" in table


def test_the_table_says_when_no_model_was_champion(
    judged: Judge, traffic: Traffic, reference: Reference
) -> None:
    past = Reference(reference.features, None, None, True, "window of a model as of then")
    assert "No model was champion on that day" in markdown_table(judged(traffic(1500, 5), reference=past))


def test_a_bar_in_a_category_breaks_no_table(
    judged: Judge, traffic: Traffic, replace_column: Callable[..., pa.Table]
) -> None:
    table = markdown_table(judged(replace_column(traffic(1500, 5), "category", ["a|b"] * 1500)))
    assert "a\\|b" in table
