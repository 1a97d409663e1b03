"""What people look at first: the last 30 days of every check in one small picture.

Each check has a strip of its own, drawn so that up is worse and the shaded zone is where the contract alarms: PSI and
shares as they are, p-values on a logarithmic scale. Red days drifted; a hollow mark crossed the contract's threshold
and the guard took it for noise. A day without a number is a gap, never a zero.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from ct_assets.drift.table import number
from ct_assets.drift.verdict import DriftVerdict, Method, Outcome, RuleVerdict

__all__ = ["DAYS", "plot"]

DAYS = 30
_WIDTH_IN, _STRIP_IN, _EDGES_IN, _DPI = 9.2, 0.95, 0.95, 100
_INK, _QUIET, _RED, _ZONE, _FAULT, _GAP = "#24292f", "#8c959f", "#cf222e", "#ffebe9", "#8250df", "#eaeef2"
_TOP = 3.0
_NAME_LENGTH = 31


@dataclass(frozen=True, slots=True)
class _Scale:
    """Heights of a check's strip: 0 at the bottom, the threshold at 1; what lies beyond `_TOP` is drawn there."""

    method: Method
    threshold: float

    def height(self, value: float) -> float:
        if self.method in ("psi", "share"):
            return value / self.threshold
        # p-values: 1 lies at the bottom, and each step up is so many powers of ten
        return math.log(max(value, 1e-300)) / math.log(self.threshold)

    def place(self, value: float) -> float:
        return min(self.height(value), _TOP)

    def at(self, height: float) -> str:
        """The value at a height, for the axis."""
        if self.method == "share":
            return f"{self.threshold * height:.0%}"
        return f"{self.threshold * height if self.method == 'psi' else self.threshold**height:.1g}"


def plot(verdicts: Sequence[DriftVerdict]) -> bytes:
    """PNG of the checks of the newest verdict over the 30 days up to it; below 60 kB for up to 20 checks.

    Args:
        verdicts: of one model, in any order, one a day; ValueError when there is none.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not verdicts:
        raise ValueError("verdicts: a plot needs one day at least")
    newest = max(verdicts, key=lambda verdict: verdict.day)
    first = max(min(verdict.day for verdict in verdicts), newest.day - timedelta(days=DAYS - 1))
    by_day = {verdict.day: verdict for verdict in verdicts if verdict.day >= first}
    days = [first + timedelta(days=n) for n in range((newest.day - first).days + 1)]
    checks = newest.rules

    height = _EDGES_IN + _STRIP_IN * len(checks)
    figure = Figure(figsize=(_WIDTH_IN, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(checks), 1, sharex=True, squeeze=False)[:, 0]
    figure.subplots_adjust(left=0.29, right=0.86, top=1 - 0.5 / height, bottom=0.42 / height, hspace=0.22)
    figure.text(
        0.012, 1 - 0.3 / height, f"{newest.model}: drift by check", color=_INK, fontsize=11, weight="bold"
    )
    _legend(figure)
    for axis, check in zip(axes, checks, strict=True):
        _label(axis, check)
        _strip(axis, check, [_find(by_day.get(day), check.check) for day in days])
        _champions(axis, [by_day.get(day) for day in days], named=axis is axes[0])
    _dates(axes[-1], days)
    return _png(figure)


def _find(verdict: DriftVerdict | None, check: str) -> RuleVerdict | None:
    return next((rule for rule in verdict.rules if rule.check == check), None) if verdict else None


def _strip(axis: Any, check: RuleVerdict, found: Sequence[RuleVerdict | None]) -> None:
    """One check over the days; `found` holds None where there is no verdict."""
    scale = _Scale(check.method, check.threshold)
    heights = [
        scale.place(r.value) if r is not None and r.value is not None and _judged(r) else math.nan
        for r in found
    ]
    axis.axhspan(1, _TOP * 1.12, color=_ZONE, lw=0)
    axis.axhline(1, color=_RED, lw=0.8, ls=(0, (4, 3)))
    for x, rule in enumerate(found):
        if rule is None or not _judged(rule):
            axis.axvspan(x - 0.5, x + 0.5, color=_GAP, lw=0)
    axis.plot(heights, color=_QUIET, lw=1.2, zorder=2)
    for x, (rule, height) in enumerate(zip(found, heights, strict=True)):
        if rule is not None:
            _mark(axis, x, height, rule)
    axis.set(ylim=(-0.12, _TOP * 1.12), xlim=(-0.6, len(found) - 0.4), yticks=[0, 1, 2, 3])
    axis.set_yticklabels([scale.at(height) for height in (0, 1, 2, 3)], fontsize=7, color=_QUIET)
    axis.tick_params(length=0)
    for side in ("top", "right", "left", "bottom"):
        axis.spines[side].set_visible(False)


def _label(axis: Any, check: RuleVerdict) -> None:
    """The check's name on the left, its newest value and outcome on the right."""
    unit = {"psi": "PSI", "chisquare": "chi-square p", "ks": "KS p", "share": "share of features"}[
        check.method
    ]
    name = check.check if len(check.check) <= _NAME_LENGTH else f"{check.check[: _NAME_LENGTH - 1]}…"
    color = {Outcome.DRIFT: _RED, Outcome.DATA_FAULT: _FAULT, Outcome.INCONCLUSIVE: _QUIET}.get(
        check.outcome, _INK
    )
    box = axis.get_position()
    middle, gap = (box.y0 + box.y1) / 2, 0.04 / axis.figure.get_figheight()
    axis.figure.text(0.012, middle, name, fontsize=8.5, color=_INK, va="bottom")
    axis.figure.text(0.012, middle - gap, unit, fontsize=7.5, color=_QUIET, va="top")
    axis.figure.text(0.875, middle, number(check.value), fontsize=10, color=color, weight="bold", va="bottom")
    axis.figure.text(
        0.875, middle - gap, check.outcome.replace("_", " "), fontsize=7.5, color=color, va="top"
    )


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    said = {
        "drift": Line2D([], [], ls="", marker="o", color=_RED, ms=5.5),
        "crossed, taken for noise": Line2D([], [], ls="", marker="o", mfc="white", mec=_RED, ms=5, mew=1.2),
        "data fault": Line2D([], [], ls="", marker="x", color=_FAULT, ms=5.5, mew=1.6),
        "not judged": Patch(color=_GAP),
    }
    figure.legend(
        said.values(),
        said.keys(),
        ncols=len(said),
        loc="upper right",
        frameon=False,
        fontsize=8,
        labelcolor=_QUIET,
        handletextpad=0.3,
        columnspacing=1.4,
        handlelength=1.2,
    )


def _judged(rule: RuleVerdict) -> bool:
    return rule.outcome in (Outcome.PASS, Outcome.DRIFT)


def _mark(axis: Any, x: int, height: float, rule: RuleVerdict) -> None:
    if rule.outcome is Outcome.DATA_FAULT:
        axis.plot(x, 0.35, marker="x", color=_FAULT, ms=5.5, mew=1.6, zorder=3)
    elif rule.outcome is Outcome.DRIFT:
        beyond = height >= _TOP  # larger than the strip shows
        axis.plot(x, height, marker="^" if beyond else "o", color=_RED, ms=6 if beyond else 5.5, zorder=3)
    elif _judged(rule) and rule.contract is Outcome.DRIFT:
        axis.plot(x, height, marker="o", mfc="white", mec=_RED, ms=5, mew=1.2, zorder=3)
    elif _judged(rule):
        axis.plot(x, height, marker="o", color=_INK, ms=2.6, zorder=3)


def _champions(axis: Any, verdicts: Sequence[DriftVerdict | None], *, named: bool) -> None:
    """A line where another version became the one that is judged against."""
    before: DriftVerdict | None = None
    for x, verdict in enumerate(verdicts):
        if verdict is None:
            continue
        if before is not None and verdict.champion != before.champion:
            axis.axvline(x - 0.5, color=_INK, lw=0.9, alpha=0.6)
            if named:
                who = f"champion: version {verdict.champion}" if verdict.champion else "no champion"
                side = (
                    {"x": x - 0.35, "ha": "left"}
                    if x < len(verdicts) * 0.75
                    else {"x": x - 0.65, "ha": "right"}
                )
                axis.text(y=3.45, s=who, fontsize=7, color=_INK, va="bottom", **side)
        before = verdict


def _dates(axis: Any, days: Sequence[date]) -> None:
    """Ticks counted back from the newest day, which is always named."""
    step = max(1, math.ceil(len(days) / 7))
    ticks = list(range(len(days) - 1, -1, -step))
    axis.set_xticks(ticks)
    axis.set_xticklabels([f"{days[x]:%d %b}" for x in ticks], fontsize=8, color=_QUIET)


def _png(figure: Any) -> bytes:
    """With a palette of 256 colours: half of the bytes, and no difference to the eye."""
    from PIL import Image

    raw, small = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png")
    raw.seek(0)
    with Image.open(raw) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()
