"""Beside the real Evidently: the contract's numbers are its numbers, and its page survives columns that it does not.

The only test module that imports it, which alone takes some seconds.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ct_assets.drift import DriftVerdict, Outcome, Reference, judge
from ct_assets.drift.chisquare import chisquare_p
from ct_assets.drift.columns import Column
from ct_assets.drift.ks import ks_p
from ct_assets.drift.psi import psi
from ct_assets.drift.report import html_report
from ct_assets.spec import ModelSpec

Traffic = Callable[..., pa.Table]
OURS = {"psi": psi, "chisquare": chisquare_p, "ks": ks_p}


@dataclass(frozen=True)
class Case:
    """One column of two windows."""

    name: str
    kind: str
    method: str
    reference: list[float | str | None]
    current: list[float | str | None]


def holes(values: np.ndarray, rng: np.random.Generator) -> list[float | str | None]:
    """With nulls and, among numbers, infinities."""
    kept = [
        None if lost else value
        for value, lost in zip(values.tolist(), rng.random(len(values)) < 0.1, strict=True)
    ]
    if values.dtype.kind == "f":
        kept[0] = float("inf")
    return kept


def randomized() -> Iterator[Case]:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        m, n = int(rng.integers(300, 4000)), int(rng.integers(40, 2000))
        shift = float(rng.choice([0.0, 0.1, 1.0]))
        lognormal = rng.lognormal(0, 1, m), rng.lognormal(shift, 1, n)
        whole = rng.integers(0, 24, m).astype(float), rng.integers(0, 24 - int(4 * shift), n).astype(float)
        few = rng.integers(0, 5, m).astype(float), rng.integers(0, 6, n).astype(float)
        words = np.array(["a", "b", "c", "d", "new"])
        usual, moved = [0.5, 0.3, 0.15, 0.05, 0.0], [0.5 - shift / 4, 0.3, 0.15, 0.05 + shift / 4, 0.0]
        category = rng.choice(words, m, p=usual), rng.choice(words, n, p=moved)
        novel = category[0], rng.choice(words, n, p=[0.4, 0.3, 0.15, 0.05, 0.1])
        for method in ("psi", "ks"):
            for name, (a, b) in {"lognormal": lognormal, "whole": whole, "few": few}.items():
                yield Case(f"{name}_{method}_{seed}", "numerical", method, a.tolist(), b.tolist())
            yield Case(
                f"holes_{method}_{seed}",
                "numerical",
                method,
                holes(lognormal[0], rng),
                holes(lognormal[1], rng),
            )
        for method in ("psi", "chisquare"):
            for name, (a, b) in {"category": category, "novel": novel}.items():
                yield Case(f"{name}_{method}_{seed}", "categorical", method, a.tolist(), b.tolist())
            yield Case(
                f"gaps_{method}_{seed}",
                "categorical",
                method,
                holes(category[0], rng),
                holes(category[1], rng),
            )
    rng = np.random.default_rng(9)
    far = [*rng.normal(0, 1, 999).tolist(), 1e6]
    yield Case("outlier_psi", "numerical", "psi", rng.normal(0, 1, 3000).tolist(), far)
    large = rng.normal(0, 1, 10_500).tolist()  # above 10,000 rows the p-value of KS is the asymptotic one
    yield Case("large_ks", "numerical", "ks", large, rng.normal(0.05, 1, 1500).tolist())
    yield Case("rare_psi", "categorical", "psi", ["a"] * 20_000 + ["b"], ["a"] * 900 + ["c"] * 100)


CASES = list(randomized())


@pytest.fixture(scope="module")
def evidently_says() -> dict[str, float]:
    """Evidently's value of every case, from one report."""
    os.environ["DO_NOT_TRACK"] = "1"
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    definition = DataDefinition(
        numerical_columns=[case.name for case in CASES if case.kind == "numerical"],
        categorical_columns=[case.name for case in CASES if case.kind == "categorical"],
    )
    said: dict[str, float] = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        frames = [
            pd.DataFrame(
                {
                    case.name: pd.Series(
                        getattr(case, side), dtype=None if case.kind == "numerical" else object
                    )
                    for case in CASES
                }
            )
            for side in ("current", "reference")
        ]
        metrics = [ValueDrift(column=case.name, method=case.method, threshold=0.1) for case in CASES]
        snapshot = Report(metrics).run(
            *(Dataset.from_pandas(frame, data_definition=definition) for frame in frames)
        )
        for case, metric in zip(CASES, snapshot.dict()["metrics"], strict=True):
            assert case.name in metric["metric_name"]
            said[case.name] = float(metric["value"])
    return said


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_contracts_number_is_evidentlys(case: Case, evidently_says: dict[str, float]) -> None:
    reference, current = Column.of(case.reference, case.kind), Column.of(case.current, case.kind)  # type: ignore[arg-type]
    assert OURS[case.method](reference, current) == pytest.approx(
        evidently_says[case.name], rel=1e-9, abs=1e-12
    )


def verdict(spec: ModelSpec, current: pa.Table, reference: Reference) -> DriftVerdict:
    from datetime import UTC, date, datetime

    day, at = date(2024, 5, 1), datetime(2024, 5, 2, 6, tzinfo=UTC)
    return judge(spec, day=day, current=current, reference=reference, fingerprint="f", evaluated_at=at)


def shown_states(page: str) -> dict[str, str]:
    """Column -> state of its test, as Evidently wrote it into the page."""
    return dict(
        re.findall(r'"title": "Value drift for (\w+): [^"]*", "description": "[^"]*", "state": "(\w+)"', page)
    )


def test_the_page_shows_every_rule_with_its_test_and_what_moved_most(
    spec: ModelSpec, traffic: Traffic, reference: Reference
) -> None:
    current = traffic(1500, 5, amount_factor=1.8)
    page = html_report(spec, current, reference, verdict=verdict(spec, current, reference)).decode()
    assert page.count("<section") == 1
    assert "1,500 rows against 8,000: sample of version 3" in page
    assert "<b>DRIFT</b>" in page
    assert shown_states(page) == {
        "amount": "fail",
        "category": "success",
        "hour": "success",
        "age": "success",
    }


def test_the_page_shows_the_verdicts_own_numbers(
    spec: ModelSpec, traffic: Traffic, reference: Reference
) -> None:
    current = traffic(1500, 5, amount_factor=1.8)
    page = html_report(spec, current, reference).decode()
    value = verdict(spec, current, reference).rules[0].value
    assert f"Value drift for amount: Actual value {value:.3f} >= 0.200" in page


def test_the_page_needs_nothing_from_the_network(
    spec: ModelSpec, traffic: Traffic, reference: Reference
) -> None:
    page = html_report(spec, traffic(600, 5), reference).decode()
    assert not re.search(r"""<(script|link|img)[^>]+(src|href)=["']?(https?:)?//""", page)
    assert not re.search(r"""url\(["']?https?:""", page)


def test_columns_that_evidently_cannot_take_are_named_and_cost_no_other(
    spec: ModelSpec, traffic: Traffic, reference: Reference
) -> None:
    rows = traffic(600, 5).drop_columns(["age"])
    broken = rows.set_column(2, "hour", pa.array([None] * 600, pa.float64()))
    page = html_report(spec, broken, reference).decode()
    assert "&#x27;age&#x27; is not shown: column &#x27;age&#x27; is missing." in page
    assert "&#x27;hour&#x27; is not shown: the window holds no value of it." in page
    assert shown_states(page).keys() == {"amount", "category"}


def test_a_column_that_makes_evidently_raise_is_left_out_and_told(
    spec: ModelSpec, traffic: Traffic, reference: Reference
) -> None:
    ids = 1e16 + 2.0 * (np.arange(8000) % 15)  # no bins of a histogram fit between such neighbours
    odd = replace(reference, features=reference.features.set_column(0, "amount", pa.array(ids)))
    current = traffic(600, 5).set_column(0, "amount", pa.array(ids[:600]))
    page = html_report(spec, current, odd).decode()
    assert "psi_amount is not shown: Evidently says &#x27;Too many bins" in page
    assert shown_states(page).keys() == {"category", "hour", "age"}


def test_infinities_are_left_out_and_told(spec: ModelSpec, traffic: Traffic, reference: Reference) -> None:
    rows = traffic(600, 5)
    some = rows.set_column(0, "amount", pa.array([np.inf] * 3 + rows["amount"].to_pylist()[3:]))
    assert (
        "3 infinite values of &#x27;amount&#x27; are left out." in html_report(spec, some, reference).decode()
    )


def test_a_large_window_is_sampled_and_labelled_so(
    spec: ModelSpec, traffic: Traffic, reference: Reference
) -> None:
    page = html_report(spec, traffic(2000, 5), reference, max_rows=1500).decode()
    assert "The window is shown by a sample of 1,500 of its 2,000 rows" in page
    assert "The reference is shown by a sample of 1,500 of its 8,000 rows" in page
    assert "by a sample" not in html_report(spec, traffic(600, 5), reference).decode()


def test_a_window_without_rows_gets_a_page_that_says_so(
    spec: ModelSpec, traffic: Traffic, reference: Reference
) -> None:
    page = html_report(spec, traffic(0, 5), reference).decode()
    assert len(page) < 5_000
    assert "the window holds no value of it" in page


def test_a_category_cannot_run_a_script_in_the_page(
    spec: ModelSpec, traffic: Traffic, reference: Reference
) -> None:
    attack = "</script><script>alert(1)</script>"
    rows = traffic(600, 5)
    poisoned = rows.set_column(1, "category", pa.array([attack] * 300 + ["food"] * 300))
    found = verdict(spec, poisoned, reference)
    assert found.outcome is not Outcome.PASS
    assert attack not in html_report(spec, poisoned, reference, verdict=found).decode()
