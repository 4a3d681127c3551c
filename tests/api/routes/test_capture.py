"""GET .../capture: a pcapng stream that ends with its limits, with its client, and with the service."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from l2tpv3.capture.pcapng import packets
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from l2tpv3_api.auth.identity import CHANGING, Identity
from tests.api.served import served
from tests.capture.test_recorder import Pair
from tests.hosts import Host
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

PATH = "/v1/tunnels/t/sessions/one/capture"


@pytest.fixture
def pair(underlay: tuple[Host, Host]) -> Pair:
    return Pair(underlay)


@pytest.fixture
def url(pair: Pair) -> Iterator[str]:
    with served(create_app(Service(pair.manager), guard=AllowAll())) as address:
        yield address


def _open_files() -> Iterator[str]:
    for file in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield str(file.readlink())


@pytest.mark.parametrize("side", ["outer", "inner"])
def test_it_streams_what_passes_and_ends_at_its_limit(pair: Pair, url: str, tmp_path: Path, side: str) -> None:
    wanted = {"side": side, "filter": "len > 500", "packets": "2"}
    with httpx.stream("GET", url + PATH, params=wanted, timeout=PATIENCE_S) as response:
        assert response.headers["content-type"] == "application/x-pcapng"
        pair.a.ping("10.9.1.2", "-s", "600")
        content = response.read()
    assert [one.direction.name for one in packets([content])] == ["OUTBOUND", "INBOUND"]
    path = tmp_path / "it.pcapng"
    path.write_bytes(content)
    subprocess.run(["capinfos", path], check=True, capture_output=True)


def test_it_is_live_and_ends_with_its_client(pair: Pair, url: str) -> None:
    descriptors = len(list(_open_files()))
    with httpx.stream("GET", url + PATH, params={"side": "inner", "filter": "icmp"}, timeout=PATIENCE_S) as response:
        found = packets(response.iter_raw())
        for size in (100, 200, 300):  # each is there before the next one is sent
            pair.a.ping("10.9.1.2", "-s", str(size))
            assert {next(found).length, next(found).length} == {size + 42}
    give_up = time.monotonic() + PATIENCE_S
    while len(list(_open_files())) > descriptors:
        assert time.monotonic() < give_up, "its socket is closed"
        time.sleep(0.05)


def test_what_can_not_be_captured(url: str) -> None:
    for path, params, status, slug in (
        (PATH, {"filter": "no such"}, 422, "invalid-value"),
        (PATH, {"side": "up"}, 422, "invalid-value"),
        (PATH, {"packets": "0"}, 422, "invalid-value"),
        ("/v1/tunnels/t/sessions/three/capture", {}, 404, "not-found"),
        ("/v1/tunnels/u/sessions/one/capture", {}, 404, "not-found"),
    ):
        answer = httpx.get(url + path, params=params)
        assert (answer.status_code, answer.json()["slug"]) == (status, slug)


def test_who_may_not_see_cookies_may_not_capture(pair: Pair) -> None:
    guard = AllowAll(Identity("someone", CHANGING))
    with served(create_app(Service(pair.manager), guard=guard)) as url:
        assert httpx.get(url + PATH).status_code == 403


def test_it_ends_with_the_service(pair: Pair) -> None:
    with served(create_app(Service(pair.manager), guard=AllowAll())) as url:
        client = httpx.Client(timeout=PATIENCE_S)
        with client.stream("GET", url + PATH) as response:
            pair.a.ping("10.9.1.2")
            next(response.iter_raw())
    client.close()
