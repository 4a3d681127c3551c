"""What is told of a status as JSON is read back as that status, for any there can be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.documents.audit import audit_document, audit_entry_from_json
from l2tpv3.documents.plan import did_from_json, plan_document
from l2tpv3.documents.state import state_from_json, state_to_json
from l2tpv3.documents.tunnel import session_from_json, session_to_json, tunnel_from_json, tunnel_to_json
from l2tpv3.errors import NotPermittedError
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.progress import StepText
from l2tpv3.model.status import SessionStatus, TunnelStatus
from l2tpv3.store.database import AuditEntry
from tests.documents.status_values import IDS, NAMES, TEXTS, sessions, tunnels
from tests.properties import SOME


def over_the_wire(document: Any) -> Any:
    return json.loads(json.dumps(document))


@SOME
@given(tunnels())
def test_a_tunnel(status: TunnelStatus) -> None:
    assert tunnel_from_json(over_the_wire(tunnel_to_json(status, secrets=True))) == status


@SOME
@given(st.booleans().flatmap(lambda foreign: sessions(foreign=foreign)))
def test_a_session(status: SessionStatus) -> None:
    assert session_from_json(over_the_wire(session_to_json("t", status, secrets=True))) == status


@SOME
@given(tunnels())
def test_without_secrets_all_that_is_shown_without_them_is_the_same(status: TunnelStatus) -> None:
    told = over_the_wire(tunnel_to_json(status))
    assert tunnel_to_json(tunnel_from_json(told)) == told


@SOME
@given(tunnels())
def test_what_a_newer_service_adds_is_passed_over(status: TunnelStatus) -> None:
    told = over_the_wire(tunnel_to_json(status, secrets=True))
    for part in (told, told["counters"], *told["sessions"], *(one["counters"] for one in told["sessions"])):
        part["brand-new"] = {"of": "tomorrow"}
    for part in (told, *told["sessions"]):
        if part["wanted"] is not None:
            part["wanted"]["brand-new"] = 7
    assert tunnel_from_json(told) == status


@SOME
@given(sessions().filter(lambda one: bool(one.spec.tx_cookie)))
def test_a_cookie_that_was_not_told_can_not_be_shown(status: SessionStatus) -> None:
    read = session_from_json(over_the_wire(session_to_json("t", status)))
    assert len(read.spec.tx_cookie) == len(status.spec.tx_cookie)
    with pytest.raises(NotPermittedError):
        session_to_json("t", read, secrets=True)
    assert repr(read.spec.tx_cookie) == f"<{len(status.spec.tx_cookie)} bytes, hidden>"
    assert "cookie" not in repr(read.spec)


@SOME
@given(
    st.builds(
        StepText,
        sign=st.sampled_from("+-~"),
        tunnel=NAMES,
        session=st.none() | NAMES,
        text=TEXTS,
        why=TEXTS,
        interrupts=st.booleans(),
    )
)
def test_a_step(step: StepText) -> None:
    did = did_from_json(over_the_wire(plan_document([step]) | {"changes": True}))
    assert (did.step_texts, did.changes) == ((step,), True)


@SOME
@given(st.integers(0, 2**32), st.integers(0, 999_999), TEXTS)
def test_an_entry_of_the_log(second: int, micro: int, text: str) -> None:
    told = audit_document([AuditEntry(at=second + micro / 1e6, who="root (uid 0)", what=text)])
    read = [audit_entry_from_json(one) for one in over_the_wire(told)["entries"]]
    assert audit_document(read) == told


@SOME
@given(st.lists(tunnels().filter(lambda one: not one.foreign), max_size=3, unique_by=lambda one: one.name), IDS)
def test_what_is_wanted(statuses: list[TunnelStatus], number: int) -> None:
    wanted = [
        DesiredTunnel.from_specs(one.spec, {session.name: session.spec for session in one.sessions}.values())
        for one in statuses
    ]
    wanted.append(DesiredTunnel(name="with.few-words", words={"remote": "192.0.2.9", "id": number}))
    assert state_from_json(over_the_wire(state_to_json(wanted))) == wanted
