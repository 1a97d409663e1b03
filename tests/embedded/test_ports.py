"""Which ports are free, and which addresses of a spec `ct serve` can stand for."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ct_assets.catalog import SpecError
from ct_assets.embedded.ports import HOST, Ports, free_ports
from ct_assets.embedded.serve import ports_of
from ct_assets.spec import ModelSpec


def spec(**serving: Any) -> ModelSpec:
    rollout = {"envoy_admin_url": serving.pop("admin")} if "admin" in serving else {}
    features = {"amount": "numerical"}
    attributes = {"model": "shop", "entity": "user", "label": "bought", "features": features}
    return ModelSpec.model_validate(attributes | {"serving": serving, "rollout": rollout})


def test_free_ports_are_different_and_nobody_listens_there() -> None:
    ports = free_ports(7)
    assert len(set(ports)) == 7
    assert max(ports) < 30_000  # a port of outgoing connections is lost while its owner restarts
    assert Ports(*ports[:5]).taken() == []


def test_a_taken_port_is_named() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        assert Ports(*free_ports(4), admin=port).taken() == [port]


def test_a_spec_that_says_nothing_gets_the_usual_ports() -> None:
    assert ports_of(spec()) == Ports(router=8080, champion=8000, challenger=8001, shadow=8002, admin=9901)


def test_the_ports_follow_the_addresses_of_the_spec() -> None:
    asked = spec(
        champion_urls=["http://localhost:7000"],
        challenger_urls=["http://127.0.0.1:7100"],
        admin="http://127.0.0.1:7200",
    )
    assert ports_of(asked) == Ports(router=7080, champion=7000, challenger=7100, shadow=7101, admin=7200)


@pytest.mark.parametrize(
    ("serving", "key"),
    [
        ({"champion_urls": ["http://fraud.prod:8000"]}, "serving.champion_urls"),
        ({"challenger_urls": ["http://127.0.0.1:1", "http://127.0.0.1:2"]}, "serving.challenger_urls"),
        ({"admin": "http://10.0.0.7:9901"}, "rollout.envoy_admin_url"),
    ],
)
def test_an_address_of_another_machine_is_refused_by_its_key(serving: dict[str, Any], key: str) -> None:
    with pytest.raises(SpecError, match=rf"^{key}: `ct serve` runs one endpoint on 127.0.0.1"):
        ports_of(spec(**serving))


def test_two_parts_on_one_port_are_refused() -> None:
    with pytest.raises(SpecError, match="two parts would share a port"):
        ports_of(spec(champion_urls=["http://127.0.0.1:8000"], challenger_urls=["http://127.0.0.1:8079"]))
