"""Plan and apply, by properties: for random records, wanted states and things that happened in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.errors import L2tpError
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from tests.memory_host import assert_undone_when_it_fails, host, try_apply
from tests.properties import SOME

session_words = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(1, 4),
        "peer-id": st.integers(1, 4),
        "ifname": st.sampled_from(["lan0", "lan1", "lan2"]),
        "tx-cookie": st.sampled_from([b"", b"abcd", b"12345678"]),
        "rx-cookie": st.sampled_from([b"", b"abcd", b"12345678"]),
        "sublayer": st.just("default"),
        "sequencing": st.sampled_from(["none", "send", "recv", "both"]),
        "reorder-timeout-ms": st.sampled_from([0, 50]),
        "vlan": st.sampled_from([None, 100, 200]),
        "mtu": st.sampled_from(["auto", 1400, 1300]),
        "mac": st.sampled_from([None, "02:00:5e:00:53:01"]),
        "bridge": st.sampled_from([None, "br0", "br1"]),
        "up": st.booleans(),
    },
)
tunnel_words = st.fixed_dictionaries(
    {"remote": st.sampled_from(["127.0.0.2", "127.0.0.3"])},
    optional={
        "id": st.integers(1, 4),
        "peer-id": st.integers(1, 4),
        "encap": st.sampled_from(["udp", "ip"]),
        "local-port": st.sampled_from([1701, 1702, 1703]),
        "udp-checksum": st.sampled_from(["on", "off"]),
    },
)


@st.composite
def wanted_states(draw: st.DrawFn) -> tuple[DesiredTunnel, ...]:
    tunnels = []
    for name in draw(st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3)):
        sessions = tuple(
            DesiredSession(name=one, words=draw(session_words))
            for one in draw(st.lists(st.sampled_from(["x", "y", "z"]), unique=True, max_size=3))
        )
        tunnels.append(DesiredTunnel(name=name, words=draw(tunnel_words), sessions=sessions))
    return tuple(tunnels)


@SOME
@given(first=wanted_states(), second=wanted_states(), prune=st.booleans())
def test_apply_reaches_what_is_wanted_and_a_second_plan_is_empty(
    first: tuple[DesiredTunnel, ...], second: tuple[DesiredTunnel, ...], *, prune: bool
) -> None:
    with host() as one:
        try_apply(one, first)
        if not try_apply(one, second, prune=prune):
            return
        assert one.manager.plan(second, prune=prune).steps == ()
        assert one.manager.apply(second, prune=prune).steps == ()
        statuses = {status.name: status for status in one.manager.tunnels()}
        if prune:
            assert set(statuses) == {tunnel.name for tunnel in second}
        for tunnel in second:
            status = statuses[tunnel.name]
            assert status.condition == "up"
            assert {session.name for session in tunnel.sessions} <= {session.name for session in status.sessions}
            for session in status.sessions:
                assert session.condition == ("up" if session.spec.up else "down")
                assert session.netdev is not None
                assert session.netdev.ifname == session.spec.ifname
                assert (session.netdev.mtu, session.netdev.bridge) == (session.mtu, session.spec.bridge)
                assert (session.send_seq, session.recv_seq) == (
                    session.spec.sequencing.send,
                    session.spec.sequencing.recv,
                )
        assert not [status for status in statuses.values() if status.foreign]


@SOME
@given(wanted_states(), wanted_states(), st.integers(1, 25))
def test_undoing_any_prefix_of_the_steps_gives_back_what_was(
    first: tuple[DesiredTunnel, ...], second: tuple[DesiredTunnel, ...], break_at: int
) -> None:
    with host() as one:
        try_apply(one, first)
        try:
            one.manager.plan(second, prune=True)
        except L2tpError:
            return
        assert_undone_when_it_fails(one, second, break_at)


@SOME
@given(wanted_states(), st.data())
def test_what_was_lost_is_found_and_made_again(wanted: tuple[DesiredTunnel, ...], data: st.DataObject) -> None:
    with host() as one:
        if not try_apply(one, wanted):
            return
        before = one.picture()
        records = one.manager.records()
        from l2tpv3.model.record import resolved, resolved_session

        for record in records.values():
            for session in record.sessions:
                if data.draw(st.booleans()):
                    one.memory.del_session(resolved(record), resolved_session(session))
            if data.draw(st.booleans()):
                one.memory.del_tunnel(resolved(record))
        one.manager.restore()
        assert one.picture() == before


@SOME
@given(wanted_states(), wanted_states())
def test_a_plan_tells_no_secrets(first: tuple[DesiredTunnel, ...], second: tuple[DesiredTunnel, ...]) -> None:
    from l2tpv3.plan.describe import describe

    with host() as one:
        try_apply(one, first)
        try:
            outcome = one.manager.plan(second, prune=True)
        except L2tpError:
            return
        for said in describe(outcome.steps):
            assert "12345678" not in said.text
            assert b"12345678".hex() not in said.text
            assert "\n" not in said.text


@pytest.mark.parametrize("other", [{"encap": "ip"}, {"local-port": 1703}])
def test_a_name_passes_on_from_a_tunnel_that_is_made_anew_beside_its_predecessor(other: dict[str, object]) -> None:
    """The predecessor stays until the successor is there, but a session of it that goes can't keep a wanted name."""
    name = {"ifname": "lan1"}
    first = DesiredTunnel(name="a", words={"remote": "127.0.0.2"}, sessions=(DesiredSession(name="y", words=name),))
    second = DesiredTunnel(
        name="a", words={"remote": "127.0.0.2", "id": 2, **other}, sessions=(DesiredSession(name="x", words=name),)
    )
    with host() as one:
        one.manager.apply((first,))
        one.manager.apply((second,), prune=True)
        assert one.manager.plan((second,), prune=True).steps == ()
        assert [session.name for session in one.manager.tunnel("a").sessions] == ["x"]
