"""Drift: a window of live rows is judged against a reference, and the verdict may lead to a retraining.

`judge` decides about a day, `decide` about what follows, `html_report`, `plot` and `markdown_table` show it to people.
"""

from __future__ import annotations

from ct_assets.drift.facts import Facts, Judged, LabelSufficiency
from ct_assets.drift.judge import check_names, judge
from ct_assets.drift.reference import Reference
from ct_assets.drift.trigger import Action, Trigger, decide
from ct_assets.drift.verdict import DriftVerdict, Outcome, RuleVerdict, decode, encode

__all__ = [
    "Action",
    "DriftVerdict",
    "Facts",
    "Judged",
    "LabelSufficiency",
    "Outcome",
    "Reference",
    "RuleVerdict",
    "Trigger",
    "check_names",
    "decide",
    "decode",
    "encode",
    "judge",
]
