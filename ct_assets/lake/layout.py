"""Keys of the lake: where each kind of object lies, and which day a key belongs to.

features/<model>/YYYY/MM/DD/HH/<name>.parquet   feature log, hour of the event (UTC)
labels/<model>/YYYY/MM/DD/HH/<name>.parquet     label log, hour of the label (UTC)
production/<model>/YYYY-MM-DD.parquet           one day of the feature log, deduplicated
drift/<model>/YYYY-MM-DD/verdict.json           the day's verdict; report.html beside it
references/<model>/<run id>/...                 reference sample and holdout scores of a model version
ledger/<model>/...                              decisions
"""

from __future__ import annotations

from datetime import UTC, date, datetime

__all__ = [
    "day_of",
    "day_prefix",
    "hour_prefix",
    "log_prefix",
    "production_key",
    "reference_key",
    "report_key",
    "verdict_key",
]


def log_prefix(log: str, model: str) -> str:
    """Prefix of a whole log; `log` is `features` or `labels`."""
    return f"{log}/{model}/"


def day_prefix(log: str, model: str, day: date) -> str:
    return f"{log}/{model}/{day:%Y/%m/%d}/"


def hour_prefix(log: str, model: str, at: datetime) -> str:
    return f"{log}/{model}/{at.astimezone(UTC):%Y/%m/%d/%H}/"


def day_of(key: str) -> date:
    """The day a key of a log belongs to; ValueError for a key of another shape."""
    parts = key.split("/")
    try:
        return date(int(parts[2]), int(parts[3]), int(parts[4]))
    except (IndexError, ValueError):
        raise ValueError(f"'{key}' is no key of a log (<log>/<model>/YYYY/MM/DD/HH/<name>)") from None


def production_key(model: str, day: date) -> str:
    return f"production/{model}/{day:%Y-%m-%d}.parquet"


def verdict_key(model: str, day: date) -> str:
    return f"drift/{model}/{day:%Y-%m-%d}/verdict.json"


def report_key(model: str, day: date) -> str:
    return f"drift/{model}/{day:%Y-%m-%d}/report.html"


def reference_key(model: str, run_id: str, name: str) -> str:
    """`name` is `reference.parquet` (features) or `scores.parquet` (prediction on the holdout)."""
    return f"references/{model}/{run_id}/{name}"
