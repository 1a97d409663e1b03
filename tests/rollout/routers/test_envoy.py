"""The route file: compare-and-set, whole or not at all, and clear about what is wrong with it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from ct_assets.rollout import Conflict, EnvoyRouter, RouterError, RouteState

NOWHERE = "http://127.0.0.1:9"


def test_a_fresh_route_sends_everything_to_the_champion_and_is_made_once(tmp_path: Path) -> None:
    router = EnvoyRouter(tmp_path / "deep" / "routes", NOWHERE)
    route = router.initialise()
    assert (route.version, route.state) == (1, RouteState())
    router.write(replace(route.state, owner="run"), 1)
    assert router.initialise().state.owner == "run"


def test_who_read_an_older_version_cannot_write(tmp_path: Path) -> None:
    router = EnvoyRouter(tmp_path, NOWHERE)
    router.initialise()
    assert router.write(RouteState(owner="a"), 1).version == 2
    with pytest.raises(Conflict, match="version 2, not 1"):
        router.write(RouteState(owner="b"), 1)
    assert router.read().state.owner == "a"


def test_many_writers_lose_no_update(tmp_path: Path) -> None:
    EnvoyRouter(tmp_path, NOWHERE).initialise()

    def write() -> None:
        router = EnvoyRouter(tmp_path, NOWHERE)
        for _ in range(10):
            while True:
                route = router.read()
                try:
                    router.write(replace(route.state, attempts=route.state.attempts + 1), route.version)
                    break
                except Conflict:
                    continue

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    route = EnvoyRouter(tmp_path, NOWHERE).read()
    assert (route.version, route.state.attempts) == (41, 40)


def test_a_missing_or_broken_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    router = EnvoyRouter(tmp_path, NOWHERE)
    with pytest.raises(RouterError, match=r"rds\.json: no route file; start the router once"):
        router.read()
    with pytest.raises(RouterError, match=r"the folder does not exist"):
        EnvoyRouter(tmp_path / "absent", NOWHERE).write(RouteState(), 1)
    for body in (b"", b'{"version_info": "4"}', b"\xff\xfe"):
        router.path.write_bytes(body)
        with pytest.raises(RouterError, match=r"rds\.json: not a route of this system .* restore it"):
            router.read()
        with pytest.raises(RouterError):
            router.initialise()
        assert router.path.read_bytes() == body, "nothing is lost"


def test_a_failed_write_leaves_the_old_route(tmp_path: Path) -> None:
    router = EnvoyRouter(tmp_path, NOWHERE)
    router.initialise()
    with pytest.raises(ValueError, match="weight 40 %"):
        router.write(RouteState(weight=40), 1)
    assert router.read().version == 1


def test_a_router_that_does_not_answer_confirms_nothing_and_counts_nothing(tmp_path: Path) -> None:
    router = EnvoyRouter(tmp_path, NOWHERE)
    router.initialise()
    assert router.confirmed(1) is False
    assert router.counters() is None
