"""No error ends one of the service's own tasks: it is told, tried again, and /readyz says so meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType

import httpx
import pytest
from fastapi.testclient import TestClient

from l2tpv3 import Manager
from l2tpv3.model.host_status import HostStatus
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from l2tpv3_api.events import counter_sampler, watcher
from l2tpv3_api.service import service as service_module
from tests.api.served import reading, served
from tests.waiting import PATIENCE_S

STATE = {"tunnel": {"a": {"remote": "127.0.0.2"}}}


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_what_nobody_confirmed_is_undone_though_it_failed_first(
    client: TestClient, manager: Manager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(service_module, "_RETRY_S", 0.05)
    undo, broken, tried = manager.expire, True, 0

    def expire() -> object:
        nonlocal tried
        tried += 1
        if broken:
            raise KeyError("nobody expected this")
        return undo()

    monkeypatch.setattr(manager, "expire", expire)
    client.post("/v1/apply?confirm_s=0.1", json=STATE)
    until(lambda: tried > 2)
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["retryable"]) == (503, True)
    assert "undoing what nobody confirmed" in ready.json()["detail"] and "KeyError" not in ready.text
    assert client.get("/healthz").status_code == 200
    assert len([one for one in caplog.records if "unexpected KeyError" in one.getMessage()]) == 1, "told once"
    broken = False
    until(lambda: client.get("/v1/tunnels").json()["total"] == 0)
    until(lambda: client.get("/readyz").status_code == 200)


@pytest.mark.parametrize(
    ("module", "params"), [(watcher, {}), (counter_sampler, {"counters": "0.2", "types": "counters"})]
)
def test_events_and_counters_begin_again(
    manager: Manager, monkeypatch: pytest.MonkeyPatch, module: ModuleType, params: dict[str, str]
) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.05)
    look = manager.look
    with served(create_app(Service(manager), guard=AllowAll())) as url, reading(url, **params) as reader:

        def fails(**words: object) -> HostStatus:
            raise TypeError("nobody expected this")

        monkeypatch.setattr(manager, "look", fails)
        httpx.put(f"{url}/v1/tunnels/a", json={"remote": "127.0.0.2"}, timeout=PATIENCE_S)
        until(lambda: module._TASK in httpx.get(f"{url}/readyz").text)
        monkeypatch.setattr(manager, "look", look)
        reader.next("counters" if params else "tunnel")
        until(lambda: httpx.get(f"{url}/readyz").status_code == 200)
