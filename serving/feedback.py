"""`POST /feedback`: what became of answered requests. One label or a list; all of a list is taken, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.types import Receive, Scope, Send

from serving.body import Disconnected, read_body
from serving.contract import Contract
from serving.faults import Invalid
from serving.feature_log import LabelLog, LabelRecord
from serving.metrics import Metrics
from serving.problem import Reply, json_reply, problem
from serving.settings import ServingSettings

__all__ = ["FeedbackEndpoint"]


class FeedbackEndpoint:
    """Plain ASGI, like the hot route. Needs no model: labels are taken while none is loaded."""

    def __init__(
        self,
        contract: Contract,
        log: LabelLog,
        metrics: Metrics,
        settings: ServingSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._contract = contract
        self._log = log
        self._metrics = metrics
        self._max_body_bytes = settings.max_feedback_bytes
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = self._answer(await read_body(receive, self._max_body_bytes))
        except Invalid as error:
            reply = problem(422, str(error), fault=error.fault)
        except Disconnected:
            return
        self._metrics.feedback(reply.status)
        await reply.send(send)

    def _answer(self, body: bytes) -> Reply:
        """The reply to a whole request; raises Invalid."""
        now = self._clock()
        labels = self._contract.labels(body, now)
        records = [LabelRecord(x.request_id, float(x.label), x.label_time or now, now) for x in labels]
        if not self._log.append(records):
            return problem(
                503, "the label log is full: none of these labels was taken, send them again", retry_after_s=5
            )
        return json_reply(202, {"accepted": len(records)})
