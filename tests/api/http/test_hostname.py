"""The host's name, which whoever asks is told: what the kernel has for it is data, and goes into a header."""

from __future__ import annotations

import socket

import pytest
from fastapi.testclient import TestClient

from l2tpv3_api.http.hostname import challenge, hostname


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("edge-1.example.net", "edge-1.example.net"),
        ('a"b\r\nX: y', "a?b??X??y"),
        ("\x1b[31mhöst", "??31mh?st"),
        ("x" * 300, "x" * 64),
    ],
)
def test_a_name_is_bounded_and_can_be_printed(monkeypatch: pytest.MonkeyPatch, name: str, told: str) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    assert hostname() == told
    assert challenge() == f'Bearer realm="{told}"'


def test_who_may_read_is_told_it(client: TestClient) -> None:
    assert client.get("/v1/capabilities").json()["hostname"] == hostname()
