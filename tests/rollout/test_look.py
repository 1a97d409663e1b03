"""What an endpoint says about itself."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ct_assets.rollout.look import common_version, serving_version

ANSWERS = {
    "/ok/readyz": (200, b'{"version": "7"}'),
    "/loading/readyz": (503, b'{"version": null}'),
    "/odd/readyz": (200, b"[7]"),
    "/none/readyz": (200, b'{"version": null}'),
    "/text/readyz": (200, b"ready"),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_only_a_ready_endpoint_reports_a_version(server: str) -> None:
    assert serving_version(f"{server}/ok/") == "7"
    assert [serving_version(f"{server}/{name}") for name in ("loading", "odd", "none", "text")] == [None] * 4


def test_a_server_that_is_down_or_hangs_reports_none_within_seconds() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert serving_version(url) is None, "down"
        listening.listen()
        begun = time.monotonic()
        assert serving_version(url) is None, "hangs"
        assert time.monotonic() - begun < 4


def test_all_endpoints_must_agree_and_a_foreign_version_shows() -> None:
    serving = {"a": "7", "b": "7", "c": "6", "d": None}.get
    assert common_version("ab", serving, "7") == "7"
    assert common_version("ad", serving, "7") is None
    assert common_version("acd", serving, "7") == "6"
