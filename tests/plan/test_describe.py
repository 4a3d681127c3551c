"""Steps in words: what the log, the plan and the commands say of a change."""

from __future__ import annotations

import dataclasses

import pytest

from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.spec import Sequencing, SessionSpec, TunnelSpec, parse_address
from l2tpv3.plan.describe import describe
from l2tpv3.plan.steps import SetSession

LOCAL, REMOTE = parse_address("192.0.2.1", ""), parse_address("192.0.2.2", "")
TUNNEL = TunnelRecord(spec=TunnelSpec(name="t", remote=REMOTE), local=LOCAL, datapath="user", reason="")
SESSION = SessionRecord(spec=SessionSpec(name="s", ifname="l2tpeth0"), mtu=1438)


@pytest.mark.parametrize(
    ("changed", "fields", "text"),
    [
        ({"fragment": True}, ("sequencing", "fragment"), "fragment off → on"),
        ({"sequencing": Sequencing.BOTH}, ("sequencing",), "sequencing none → both"),
        ({"tx_cookie": bytes(8)}, ("tx_cookie",), "tx-cookie"),
    ],
)
def test_old_and_new_values_are_told_as_they_are_typed(
    changed: dict[str, object], fields: tuple[str, ...], text: str
) -> None:
    """Of `sequencing`, which --fragment on changes on the wire alone, nothing is told; of a cookie no value."""
    new = dataclasses.replace(SESSION, spec=dataclasses.replace(SESSION.spec, **changed))  # type: ignore[arg-type]
    (told,) = describe([SetSession(tunnel=TUNNEL, session=new, old=SESSION, fields=fields)])
    assert told.text == text
