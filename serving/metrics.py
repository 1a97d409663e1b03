"""What a serving process tells Prometheus: requests, latency (seconds), rows of its logs, the model it serves."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

__all__ = ["LogMetrics", "Metrics"]

# A second series beside every counter, which nothing here reads.
disable_created_metrics()  # type: ignore[no-untyped-call]

_LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(frozen=True, slots=True)
class LogMetrics:
    """The rows of one log: accepted = shipped + buffered + dropped, at any quiet moment."""

    log: str
    accepted: Counter
    shipped: Counter
    dropped: Counter
    buffered: Gauge
    put_failures: Counter


class Metrics:
    """All series of one app, in a registry of its own, so that a process may hold several apps."""

    def __init__(self, model: str) -> None:
        self._model = model
        self.registry = CollectorRegistry()
        self._requests = self._counter(
            "serving_requests",
            "Prediction requests answered (version is empty without a model)",
            "variant",
            "version",
            "status",
        )
        self._latency = Histogram(
            "serving_request_seconds",
            "From the arrival of a prediction request to its answer, inside the process",
            ["model", "variant"],
            buckets=_LATENCY_S,
            registry=self.registry,
        )
        self._feedback = self._counter("serving_feedback_requests", "Feedback requests answered", "status")
        self._accepted = self._counter(
            "serving_log_accepted_rows", "Rows acknowledged: shipped + buffered + dropped", "log"
        )
        self._shipped = self._counter("serving_log_shipped_rows", "Rows that are in the lake", "log")
        self._dropped = self._counter(
            "serving_log_dropped_rows", "Rows lost: buffer full, or the lake away at a stop", "log"
        )
        self._put_failures = self._counter(
            "serving_log_put_failures", "Failed writes to the lake, each tried again", "log"
        )
        self._buffered = self._gauge("serving_log_buffered_rows", "Rows held in memory", "log")
        self._info = self._gauge(
            "serving_model_info", "1 for the version that is served", "variant", "version", "run_id"
        )
        self._follower_failures = self._counter(
            "serving_follower_failures",
            "Failed looks at the registry (registry), versions that could not be loaded (model)",
            "reason",
        )
        for reason in ("registry", "model"):  # present at 0, so that an alert on them can be tested
            self._follower_failures.labels(model, reason)
        ProcessCollector(registry=self.registry)

    def log(self, name: str) -> LogMetrics:
        """The series of one log (`features` or `labels`)."""
        return LogMetrics(
            log=name,
            accepted=self._accepted.labels(self._model, name),
            shipped=self._shipped.labels(self._model, name),
            dropped=self._dropped.labels(self._model, name),
            buffered=self._buffered.labels(self._model, name),
            put_failures=self._put_failures.labels(self._model, name),
        )

    def answered(self, variant: str, version: str, status: int, seconds: float) -> None:
        self._requests.labels(self._model, variant, version, str(status)).inc()
        self._latency.labels(self._model, variant).observe(seconds)

    def feedback(self, status: int) -> None:
        self._feedback.labels(self._model, str(status)).inc()

    def follower_failed(self, reason: str) -> None:
        """`reason`: registry | model."""
        self._follower_failures.labels(self._model, reason).inc()

    def serving(self, variant: str, version: str | None, run_id: str = "") -> None:
        """Names the one version that is served; None: no version is."""
        self._info.clear()
        if version is not None:
            self._info.labels(self._model, variant, version, run_id).set(1)

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(name, help_, ["model", *labels], registry=self.registry)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        return Gauge(name, help_, ["model", *labels], registry=self.registry)
