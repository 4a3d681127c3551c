"""Whether a change that has to be confirmed was, or was undone, is told to whoever listens."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from l2tpv3 import Manager
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from tests.api.served import reading, served
from tests.waiting import PATIENCE_S

STATE = {"tunnel": {"a": {"remote": "127.0.0.2"}}}


@pytest.fixture
def url(manager: Manager) -> Iterator[str]:
    with served(create_app(Service(manager), guard=AllowAll())) as address:
        yield address


def post(url: str, path: str) -> None:
    answer = httpx.post(f"{url}/v1/{path}", json=STATE if "apply" in path else None, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text


def test_what_nobody_confirmed(url: str) -> None:
    with reading(url, types="confirmation") as reader:
        post(url, "apply?confirm_s=0.2")
        assert next(iter(reader)).data == {"change": "awaited", "who": "anyone", "left_s": 0.2, "detail": ""}
        told = next(iter(reader)).data
        assert (told["change"], told["left_s"], told["detail"]) == ("undone", None, "nobody confirmed in time")
        assert httpx.get(f"{url}/v1/tunnels").json()["total"] == 0


@pytest.mark.parametrize(("path", "change"), [("confirm", "confirmed"), ("rollback", "undone")])
def test_what_somebody_confirmed_or_undid(url: str, path: str, change: str) -> None:
    with reading(url, types="confirmation") as reader:
        post(url, "apply?confirm_s=600")
        reader.next("confirmation", change="awaited")
        post(url, path)
        assert next(iter(reader)).data == {"change": change, "who": "anyone", "left_s": None, "detail": ""}


def test_what_another_program_did(url: str, manager: Manager) -> None:
    manager.apply([DesiredTunnel(name="a", words={"remote": "127.0.0.2"})], confirm_s=600)
    with reading(url, types="confirmation") as reader:
        assert httpx.get(f"{url}/v1/confirmation").json()["awaited"]
        manager.confirm()
        httpx.get(f"{url}/v1/confirmation")
        assert next(iter(reader)).data["change"] == "ended"
