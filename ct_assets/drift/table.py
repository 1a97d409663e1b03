"""One day's checks as a table for people: outcome, value and threshold, effect and noise floor, and why."""

from __future__ import annotations

from ct_assets.drift.verdict import DriftVerdict, Outcome

__all__ = ["markdown_table", "number"]

_MARKS = {
    Outcome.PASS: "🟢 pass",
    Outcome.DRIFT: "🔴 drift",
    Outcome.INCONCLUSIVE: "⚪ inconclusive",
    Outcome.DATA_FAULT: "🟣 data fault",
}


def markdown_table(verdict: DriftVerdict) -> str:
    """One day's checks as a Markdown table, and the features without a rule that drifted below it."""
    lines = [
        "| check | outcome | value | threshold | effect | noise floor | why |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for rule in verdict.rules:
        cells = [
            f"`{rule.check}`",
            _MARKS[rule.outcome],
            number(rule.value),
            f"{rule.threshold:g}",
            number(rule.effect),
            number(rule.noise_floor),
            _cell(rule.reason),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    moved = [rule for rule in verdict.others if rule.outcome is Outcome.DRIFT]
    if moved:
        named = ", ".join(
            f"`{rule.feature}` ({number(rule.value)})"
            for rule in sorted(moved, key=lambda r: -(r.value or 0))
        )
        lines += ["", f"Drifted without a rule of their own (PSI): {named}."]
    if verdict.hypothetical:
        lines += ["", f"No model was champion on that day. {_cell(verdict.reference)}."]
    return "\n".join(lines)


def number(value: float | None) -> str:
    """Three digits, or a dash for what was not computed."""
    return "–" if value is None else f"{value:.3g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
