"""What a serving process tells Prometheus: requests, latency (seconds), rows of its logs, the model it serves."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics, generate_latest

__all__ = ["LogMetrics", "Metrics"]

disable_created_metrics()  # a second series beside every counter, which nothing here reads
_LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """All series of one app, in a registry of its own, so that a process may hold several apps."""

    def __init__(self, model: str) -> None:
        self._model = model
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "serving_requests",
            "Prediction requests answered, by who answered and HTTP status (version is empty without a model)",
            ["model", "variant", "version", "status"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "serving_request_seconds",
            "Time inside the process, from the arrival of a prediction request to its answer",
            ["model", "variant"],
            buckets=_LATENCY_S,
            registry=self.registry,
        )
        self._feedback = Counter("serving_feedback_requests", "Feedback requests answered", ["model", "status"], registry=self.registry)
        log_labels = ["model", "log"]
        self._accepted = Counter("serving_log_accepted_rows", "Rows acknowledged: shipped + buffered + dropped", log_labels, registry=self.registry)
        self._shipped = Counter("serving_log_shipped_rows", "Rows that are in the lake", log_labels, registry=self.registry)
        self._dropped = Counter("serving_log_dropped_rows", "Rows lost: full buffer, or a stop while the lake was away", log_labels, registry=self.registry)
        self._buffered = Gauge("serving_log_buffered_rows", "Rows held in memory", log_labels, registry=self.registry)
        self._put_failures = Counter("serving_log_put_failures", "Writes to the lake that failed and were tried again", log_labels, registry=self.registry)
        self._info = Gauge("serving_model_info", "1 for the version that is being served", ["model", "variant", "version", "run_id"], registry=self.registry)
        self._follower_failures = Counter(
            "serving_follower_failures",
            "Failed looks at the registry (registry), and versions that could not be loaded (model)",
            ["model", "reason"],
            registry=self.registry,
        )
        for reason in ("registry", "model"):
            self._follower_failures.labels(model, reason)
        ProcessCollector(registry=self.registry)

    def log(self, name: str) -> LogMetrics:
        """The series of one log (`features` or `labels`)."""
        return LogMetrics(self, name)

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


class LogMetrics:
    """One log's children of the row series."""

    def __init__(self, metrics: Metrics, log: str) -> None:
        self.log = log
        labels = (metrics._model, log)
        self.accepted = metrics._accepted.labels(*labels)
        self.shipped = metrics._shipped.labels(*labels)
        self.dropped = metrics._dropped.labels(*labels)
        self.buffered = metrics._buffered.labels(*labels)
        self.put_failures = metrics._put_failures.labels(*labels)
