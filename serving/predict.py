"""The hot route, as plain ASGI: one request in, one score out, one record in the feature log.

The order is the promise: a request is validated, scored, *logged*, and only then answered. What cannot
be answered is not logged. The model is looked up once, when the request arrives, so a swap in between
changes neither score nor version.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from datetime import datetime

import msgspec
from starlette.types import Receive, Scope, Send

from ct_assets.lake.record import Variant
from serving.backoff import Throttle
from serving.body import Disconnected, read_body, request_id_header
from serving.contract import Contract
from serving.faults import Invalid
from serving.feature_log import FeatureLog, FeatureRecord
from serving.follower import Follower, Served
from serving.metrics import Metrics
from serving.predictor import ModelFault
from serving.problem import Reply, json_reply, problem
from serving.settings import ServingSettings

__all__ = ["PredictEndpoint", "Prediction"]

_log = logging.getLogger(__name__)


class Prediction(msgspec.Struct, frozen=True):
    """The answer: probability of the positive class (0..1), and who gave it."""

    request_id: str
    prediction: float
    model_version: str
    variant: str


class PredictEndpoint:
    """`POST /predict`."""

    def __init__(
        self,
        contract: Contract,
        follower: Follower,
        log: FeatureLog,
        metrics: Metrics,
        settings: ServingSettings,
        clock: Callable[[], datetime],
        *,
        variant: Variant,
        shadow_port: int | None,
    ) -> None:
        self._contract = contract
        self._follower = follower
        self._feature_log = log
        self._metrics = metrics
        self._max_body_bytes = settings.max_body_bytes
        self._refuse_when_full = settings.when_full == "refuse"
        self._clock = clock
        self._variant = variant
        self._shadow_port = shadow_port
        self._throttle = Throttle(_log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_s = time.perf_counter()
        served = self._follower.served
        variant = self._variant_of(scope)
        try:
            body = await read_body(receive, self._max_body_bytes)
            reply = self._answer(scope, body, served, variant)
        except Invalid as error:
            reply = problem(422, str(error), fault=error.fault)
        except Disconnected:
            return
        # Counted before it is sent: a client that hangs up does not change what was answered.
        self._metrics.answered(
            variant, served.version if served else "", reply.status, time.perf_counter() - started_s
        )
        await reply.send(send)

    def _variant_of(self, scope: Scope) -> Variant:
        server = scope.get("server")
        on_shadow_port = (
            self._shadow_port is not None and server is not None and server[1] == self._shadow_port
        )
        return Variant.SHADOW if on_shadow_port else self._variant

    def _answer(self, scope: Scope, body: bytes, served: Served | None, variant: Variant) -> Reply:
        """The reply to a whole request; raises Invalid."""
        if served is None:
            return problem(503, self._follower.detail, retry_after_s=1)
        if self._refuse_when_full and self._feature_log.full:
            return problem(503, "the feature log is full: the lake does not take its rows", retry_after_s=5)
        received_at = self._clock()
        request = self._contract.request(body, received_at)
        request_id = request.request_id or request_id_header(scope) or uuid.uuid4().hex
        features = msgspec.structs.astuple(request.features)
        try:
            score = served.predictor.score_row(features)
        except ModelFault as error:
            self._throttle.error("fault", f"version {served.version} failed on request {request_id}: {error}")
            return problem(
                500, f"model version {served.version} failed on this row: {error}", request_id=request_id
            )
        event_time = request.event_time or received_at
        record = FeatureRecord(
            request_id,
            event_time,
            received_at,
            served.version,
            variant.value,
            score,
            request.entity,
            features,
        )
        self._feature_log.append(record)
        return json_reply(200, Prediction(request_id, score, served.version, variant.value))
