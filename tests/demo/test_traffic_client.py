"""Against a real HTTP server: each row one request, each answer counted, and a lost answer a failure, not a crash."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ct_assets.demo.traffic_client import FEEDBACK_ROWS, Answers, TrafficClient

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Router:
    """Answers as serving behind Envoy does, and keeps what it was sent."""

    def __init__(self) -> None:
        self.predictions: list[tuple[str | None, dict[str, Any]]] = []
        self.feedback: list[list[dict[str, Any]]] = []
        self.status = 200
        self.body: dict[str, Any] = {"model_version": "7", "prediction": 0.5}

    async def predict(self, request: web.Request) -> web.Response:
        self.predictions.append((request.headers.get("x-entity-id"), await request.json()))
        return web.json_response(self.body, status=self.status)

    async def label(self, request: web.Request) -> web.Response:
        self.feedback.append(await request.json())
        return web.json_response({}, status=self.status)


def play(
    router: Router, part: Callable[[TrafficClient], Awaitable[object]], *, down: bool = False
) -> Answers:
    """Runs `part` with a client of `router`; where `down`, nobody listens there any more."""

    async def run() -> Answers:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/predict", router.predict)
        app.router.add_post("/feedback", router.label)
        server = TestServer(app)
        await server.start_server()
        try:
            client = TrafficClient(
                str(server.make_url("/predict")),
                feedback_url=str(server.make_url("/feedback")),
                entity="customer_id",
                features=["amount", "category"],
                label="is_fraud",
            )
            if down:
                await server.close()
            await part(client)
        finally:
            await server.close()
        return client.answers

    return asyncio.run(run())


def transactions(count: int) -> pl.DataFrame:
    at = [NOON + timedelta(seconds=n) for n in range(count)]
    return pl.DataFrame(
        {
            "request_id": [f"tx-{n}" for n in range(count)],
            "event_time": at,
            "customer_id": [f"c{n % 3}" for n in range(count)],
            "amount": [float(n) for n in range(count)],
            "category": ["food"] * count,
            "is_fraud": [n % 2 for n in range(count)],
            "label_time": [t + timedelta(days=7) for t in at],
        }
    )


def test_every_row_becomes_one_request_with_its_id_time_entity_and_features() -> None:
    router, progress = Router(), []
    answers = play(router, lambda client: client.replay(transactions(100), progress.append))
    sent = {body["request_id"]: (header, body) for header, body in router.predictions}
    assert len(router.predictions) == len(sent) == sum(progress) == 100
    assert sent["tx-4"] == (
        "c1",
        {
            "request_id": "tx-4",
            "event_time": "2024-05-01T12:00:04+00:00",
            "entity": "c1",
            "features": {"amount": 4.0, "category": "food"},
        },
    )
    assert (answers.served, answers.failed, answers.by_version) == (100, 0, Counter({"7": 100}))


def test_a_missing_number_travels_as_null() -> None:
    router = Router()
    rows = transactions(2).with_columns(pl.Series("amount", [math.nan, None]))
    play(router, lambda client: client.replay(rows))
    assert [body["features"]["amount"] for _, body in router.predictions] == [None, None]


def test_an_error_is_counted_and_the_first_ten_are_kept_in_words() -> None:
    router = Router()
    router.status, router.body = 503, {"detail": "no model"}
    answers = play(router, lambda client: client.replay(transactions(30)))
    assert (answers.served, answers.failed, len(answers.failures)) == (0, 30, 10)
    assert answers.failures[0] == '503 {"detail": "no model"}'


def test_a_router_that_is_away_is_a_failure_and_no_crash() -> None:
    answers = play(Router(), lambda client: client.replay(transactions(3)), down=True)
    assert (answers.served, answers.failed) == (0, 3)
    assert "ClientConnectorError" in answers.failures[0]


def test_an_answer_without_a_version_counts_as_failed() -> None:
    router = Router()
    router.body = {"hello": "world"}
    answers = play(router, lambda client: client.replay(transactions(1)))
    assert (answers.served, answers.failed) == (0, 1)
    assert answers.failures[0].startswith("200 with no answer")


def test_labels_go_out_in_parts_with_the_time_at_which_they_became_known() -> None:
    router = Router()
    answers = play(router, lambda client: client.feedback(transactions(FEEDBACK_ROWS + 1)))
    assert [len(part) for part in router.feedback] == [FEEDBACK_ROWS, 1]
    assert router.feedback[0][1] == {
        "request_id": "tx-1",
        "label": 1,
        "label_time": "2024-05-08T12:00:01+00:00",
    }
    assert (answers.labels, answers.failed) == (FEEDBACK_ROWS + 1, 0)


@pytest.mark.parametrize("down", [False, True])
def test_labels_that_were_not_taken_are_a_failure(down: bool) -> None:
    router = Router()
    router.status = 422
    answers = play(router, lambda client: client.feedback(transactions(3)), down=down)
    assert (answers.labels, answers.failed) == (0, 1)
    assert answers.failures[0].startswith("feedback: ")


def test_live_traffic_repeats_the_rows_as_new_requests_until_it_is_told_to_stop() -> None:
    router = Router()

    async def for_a_while(client: TrafficClient) -> None:
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(0.5, over.set)
        await client.trickle(transactions(5), per_s=50, until=over)

    answers = play(router, for_a_while)
    ids = [body["request_id"] for _, body in router.predictions]
    assert ids[:6] == [f"tx-{n}-live1" for n in range(5)] + ["tx-0-live2"]
    assert len(set(ids)) == len(ids) == answers.served  # all answered before it returned
    assert 10 < len(ids) < 30  # 25 at 50 a second


def test_live_traffic_of_no_rows_is_refused_rather_than_spun() -> None:
    async def nothing(client: TrafficClient) -> None:
        await client.trickle(transactions(0), per_s=50, until=asyncio.Event())

    with pytest.raises(ValueError, match="live traffic needs rows"):
        play(Router(), nothing)
