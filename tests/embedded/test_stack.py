"""What the stack is asked over HTTP, against a real server on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ct_assets.embedded.ports import HOST, free_ports
from ct_assets.embedded.stack import NotReady, answers, readiness, wait_until

PAGES = {
    "/ready": (200, b'{"version": "1", "detail": ""}'),
    "/waiting": (503, b'{"detail": "no model has alias champion yet"}'),
    "/broken": (500, b"<html>oops</html>"),
    "/list": (503, b"[1]"),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = PAGES[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()


def test_an_endpoint_is_ready_or_says_why_not(url: str) -> None:
    assert readiness(f"{url}/ready") == (True, "")
    assert readiness(f"{url}/waiting") == (False, "no model has alias champion yet")


@pytest.mark.parametrize("page", ["/broken", "/list"])
def test_an_answer_of_another_shape_is_not_ready_without_a_reason(url: str, page: str) -> None:
    assert readiness(url + page) == (False, "")


def test_nobody_there_is_not_ready() -> None:
    assert readiness(f"http://{HOST}:{free_ports(1)[0]}/readyz") == (False, "")


def test_a_proxy_of_the_environment_is_not_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://{HOST}:{free_ports(1)[0]}")
    assert answers(f"{url}/ready")


def test_waiting_tends_meanwhile_and_ends_as_soon_as_it_is_ready() -> None:
    tended: list[int] = []
    wait_until("three looks", lambda: len(tended) == 3, within_s=10, tend=lambda: tended.append(1))
    assert len(tended) == 3


def test_what_does_not_come_in_time_is_named() -> None:
    with pytest.raises(NotReady, match=r"^champion ready behind Envoy: not within 0 s$"):
        wait_until("champion ready behind Envoy", lambda: False, within_s=0.0, tend=lambda: None)
