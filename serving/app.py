"""The application: routes, and the order in which its threads start and stop.

FastAPI carries health, readiness, metrics and the docs; `/predict` and `/feedback` are plain ASGI routes
inside it, decoded by msgspec: FastAPI's own path through pydantic costs about three times the CPU of one
prediction.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Route

from ct_assets.lake.record import Variant
from ct_assets.lake.store import Lake
from ct_assets.spec import ModelSpec
from serving.contract import Contract
from serving.feature_log import FeatureLog, LabelLog
from serving.feedback import FeedbackEndpoint
from serving.follower import AliasSource, Follower
from serving.metrics import Metrics
from serving.openapi import describe
from serving.predict import PredictEndpoint
from serving.problem import problem
from serving.settings import ServingSettings

__all__ = ["Parts", "Readiness", "create_app"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What an app is made of; `app.state.parts`."""

    follower: Follower
    feature_log: FeatureLog
    label_log: LabelLog
    metrics: Metrics


class Readiness(BaseModel):
    """Which version answers. `detail` is empty where all is well."""

    model: str
    variant: Literal["champion", "challenger"]
    version: str | None
    run_id: str | None
    loaded_at: datetime | None
    detail: str


def create_app(
    spec: ModelSpec,
    *,
    variant: Literal["champion", "challenger"],
    registry: AliasSource,
    lake: Lake,
    shadow_port: int | None = None,
    settings: ServingSettings | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """An app that serves the version which alias `variant` names in `registry` and logs to `lake`.

    Requests that arrive on `shadow_port` are answered alike, but logged and counted as `shadow`. Nothing
    runs until the app's lifespan starts; when it ends, both logs are written out.
    """
    settings = settings or ServingSettings()
    metrics = Metrics(spec.model)
    follower = Follower(spec, variant, registry, metrics, settings, clock)
    feature_log = FeatureLog(spec, lake, metrics, settings)
    label_log = LabelLog(spec, lake, metrics, settings)
    contract = Contract(spec)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for part in (feature_log, label_log, follower):
            part.start()
        yield
        deadline_s = time.monotonic() + settings.close_s
        follower.stop()
        for log in (label_log, feature_log):
            log.close(max(0.1, deadline_s - time.monotonic()))

    app = FastAPI(title=spec.model, description=spec.description, lifespan=lifespan, redoc_url=None)
    app.state.parts = Parts(follower, feature_log, label_log, metrics)
    predict = PredictEndpoint(
        contract,
        follower,
        feature_log,
        metrics,
        settings,
        clock,
        variant=Variant(variant),
        shadow_port=shadow_port,
    )
    feedback = FeedbackEndpoint(contract, label_log, metrics, settings, clock)
    # First in the list, so that the hot route is matched without a look at the others.
    app.router.routes.insert(0, Route("/predict", predict, methods=["POST"], include_in_schema=False))
    app.router.routes.insert(1, Route("/feedback", feedback, methods=["POST"], include_in_schema=False))
    _add_operations(app, spec, variant, follower, metrics)
    _document(app, spec)
    return app


def _add_operations(
    app: FastAPI,
    spec: ModelSpec,
    variant: Literal["champion", "challenger"],
    follower: Follower,
    metrics: Metrics,
) -> None:
    """Adds what operators and probes ask."""

    @app.get("/healthz", tags=["operations"], summary="The process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get(
        "/readyz",
        tags=["operations"],
        summary="The version that answers",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "No model is loaded; detail says why"}},
    )
    async def readyz() -> JSONResponse:
        served, detail = follower.served, follower.detail
        ready = Readiness(
            model=spec.model,
            variant=variant,
            version=served.version if served else None,
            run_id=served.run_id if served else None,
            loaded_at=served.loaded_at if served else None,
            detail=detail,
        )
        return JSONResponse(ready.model_dump(mode="json"), 200 if served else 503)

    @app.get("/metrics", tags=["operations"], summary="Prometheus metrics", response_class=Response)
    async def prometheus() -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        reply = problem(error.status_code, str(error.detail))
        return Response(reply.body, reply.status, error.headers, media_type=reply.content_type.decode())


def _document(app: FastAPI, spec: ModelSpec) -> None:
    """/docs and /openapi.json with the two plain routes in them."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            app.openapi_schema = describe(document, spec)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
