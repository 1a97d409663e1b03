"""Evidently's page about a window: what people look at. The verdict never waits for it, and does not come from it.

It shows every rule of the contract with its test, then the features that moved most. The rows are the verdict's, so
the numbers are too; only above `MAX_ROWS` a seeded sample is shown, and the page says so. Evidently takes some 0.1 s a
column and 14 s to import (2 slow cores), so the rest of the house judges without it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ct_assets.drift.columns import Column, UnusableColumn, read_column
from ct_assets.drift.faults import find_fault
from ct_assets.drift.guard import compare
from ct_assets.drift.reference import Reference
from ct_assets.drift.verdict import DriftVerdict
from ct_assets.spec import DriftRule, ModelSpec

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MAX_ROWS", "html_report"]

MAX_ROWS = 1_000_000
_MOST_MOVED = 5
_EMPTY = '<!DOCTYPE html><html lang="en"><head><meta charset="UTF-8"></head><body></body></html>'
_STYLE = "font:14px/1.5 system-ui,sans-serif;max-width:1200px;margin:24px auto 0;padding:0 24px;color:#222"


def html_report(
    spec: ModelSpec,
    current: pa.Table,
    reference: Reference,
    *,
    verdict: DriftVerdict | None = None,
    max_rows: int = MAX_ROWS,
) -> bytes:
    """One HTML page, 4 MB, that needs nothing from the network.

    A column that cannot be shown, or that Evidently chokes on, is named at the top of the page and costs no other.

    Args:
        current: the window's rows.
        verdict: of the same rows; told at the top when given.
        max_rows: larger tables are sampled.
    """
    notes: list[str] = []
    rows = _at_most(current, max_rows, spec.training.seed, "The window", notes)
    usual = _at_most(reference.features, max_rows, spec.training.seed, "The reference", notes)
    pairs = _pairs(spec, rows, usual, notes)
    shown = [*_ruled(spec, pairs), *_most_moved(spec, pairs)]
    snapshot = _run(shown, pairs, notes)
    page = _EMPTY if snapshot is None else str(snapshot.get_html_str(as_iframe=False))
    head = _head(spec, current, reference, verdict, notes)
    return page.replace("<body>", f"<body>{head}", 1).encode()


@dataclass(frozen=True, slots=True)
class _Pair:
    reference: Column
    current: Column


def _at_most(table: pa.Table, rows: int, seed: int, what: str, notes: list[str]) -> pa.Table:
    if table.num_rows <= rows:
        return table
    notes.append(
        f"{what} is shown by a sample of {rows:,} of its {table.num_rows:,} rows: "
        "the numbers below are close to the verdict's, not equal to them."
    )
    drawn = np.random.default_rng(seed).choice(table.num_rows, rows, replace=False)
    return table.take(np.sort(drawn))


def _pairs(spec: ModelSpec, current: pa.Table, reference: pa.Table, notes: list[str]) -> dict[str, _Pair]:
    """The columns that can be drawn; what is wrong with the others, and with these, goes to the notes."""
    found: dict[str, _Pair] = {}
    for name, kind in spec.features.items():
        try:
            pair = _Pair(read_column(reference, name, kind), read_column(current, name, kind))
        except UnusableColumn as broken:
            notes.append(f"'{name}' is not shown: {broken}.")
            continue
        if not len(pair.reference) or not len(pair.current):
            where = "reference" if not len(pair.reference) else "window"
            notes.append(f"'{name}' is not shown: the {where} holds no value of it.")
            continue
        if fault := find_fault(pair.current, pair.reference):
            notes.append(f"Data fault: {fault}.")
        if pair.current.infinities:
            notes.append(f"{pair.current.infinities:,} infinite values of '{name}' are left out.")
        found[name] = pair
    return found


def _ruled(spec: ModelSpec, pairs: dict[str, _Pair]) -> list[DriftRule]:
    return [rule for rule in spec.drift.rules if rule.feature in pairs]


def _most_moved(spec: ModelSpec, pairs: dict[str, _Pair]) -> list[DriftRule]:
    """The features without a rule that differ most, judged as `drifted_share` judges them."""
    ruled = {rule.feature for rule in spec.drift.rules}
    effects = {
        f: d.effect for f, p in pairs.items() if f not in ruled and (d := compare(p.reference, p.current))
    }
    most = sorted(effects, key=lambda feature: -effects[feature])[:_MOST_MOVED]
    return [DriftRule(feature=feature, method="psi", threshold=spec.drift.default_psi) for feature in most]


def _run(rules: Sequence[DriftRule], pairs: dict[str, _Pair], notes: list[str]) -> Any | None:
    """Evidently's snapshot of all rules that it can draw; None where there is none."""
    if not rules:
        return None
    try:
        return _snapshot(rules, pairs)
    except Exception as error:  # noqa: BLE001 - a bad column raises anything at all there
        if len(rules) == 1:
            notes.append(f"{rules[0].check} is not shown: Evidently says '{error}'.")
            return None
        drawn = [rule for rule in rules if _run([rule], pairs, notes) is not None]
        return _snapshot(drawn, pairs) if drawn else None


def _snapshot(rules: Sequence[DriftRule], pairs: dict[str, _Pair]) -> Any:
    os.environ["DO_NOT_TRACK"] = "1"  # it posts telemetry from its import on
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift
    from evidently.tests import gt, gte, lt

    passes = {"psi": lt, "chisquare": gte, "ks": gt}
    metrics = [
        ValueDrift(
            column=rule.feature,
            method=rule.method,
            threshold=rule.threshold,
            tests=[passes[rule.method](rule.threshold)],
        )
        for rule in rules
    ]
    names = dict.fromkeys(rule.feature for rule in rules)
    definition = DataDefinition(
        numerical_columns=[name for name in names if pairs[name].current.kind == "numerical"],
        categorical_columns=[name for name in names if pairs[name].current.kind == "categorical"],
    )
    both = (_frame({n: pairs[n].current for n in names}), _frame({n: pairs[n].reference for n in names}))
    with np.errstate(all="ignore"):  # its zero fill and its densities divide by nothing now and then
        return Report(metrics, include_tests=True).run(
            *(Dataset.from_pandas(f, data_definition=definition) for f in both)
        )


def _frame(columns: dict[str, Column]) -> pd.DataFrame:
    """Plain float64 and object columns, which is all that Evidently takes; shorter ones end in NaN, which it drops."""
    import pandas as pd

    return pd.DataFrame(
        {
            name: pd.Series(column.numbers if column.kind == "numerical" else _harmless(column))
            for name, column in columns.items()
        }
    )


def _harmless(column: Column) -> pd.Series[str]:
    """Categories as labels: Evidently writes them into a script of the page as they are, and callers choose them."""
    import pandas as pd

    words = [word.replace("<", "‹").replace(">", "›") for word in column.values.to_pylist()]
    return pd.Series(words, dtype=object)


def _head(
    spec: ModelSpec,
    current: pa.Table,
    reference: Reference,
    verdict: DriftVerdict | None,
    notes: Sequence[str],
) -> str:
    told = f"<b>{escape(verdict.outcome.upper())}</b> &mdash; {escape(verdict.reason)}" if verdict else ""
    day = f", {verdict.day}" if verdict else ""
    bare = (
        "Evidently judges by the bare thresholds; an alarm counts where the guard agrees. "
        if spec.drift.guard
        else ""
    )
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f'<section style="{_STYLE}"><h2 style="margin:0">{escape(spec.model)}{day}</h2>'
        f"<p>{told}</p>"
        f"<p>{current.num_rows:,} rows against {reference.features.num_rows:,}: {escape(reference.description)}. "
        f"First the rules of the contract, then the features that moved most. {bare}</p><ul>{listed}</ul></section>"
    )
