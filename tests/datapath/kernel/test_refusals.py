"""What the kernel refuses becomes an error that says which object, which value and what to do; and keeps the errno."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from l2tpv3.datapath.kernel import KernelDatapath
from l2tpv3.errors import (
    ConflictError,
    ExistsError,
    InvalidValueError,
    L2tpError,
    NoAddressError,
    NoRouteError,
    NotFoundError,
    NotPermittedError,
    UnavailableError,
)
from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import Encap
from tests.contract.bench import ABSENT, UNROUTED, Bench
from tests.hosts import Host

pytestmark = [pytest.mark.root, pytest.mark.kernel_l2tp]

_SOL_NETLINK, _ADD_MEMBERSHIP, _BROADCAST_ERROR = 270, 1, 4


def refusal(kind: type[L2tpError], call: Callable[[], object]) -> L2tpError:
    """What `call` raises: of that class itself, on one line."""
    with pytest.raises(kind) as raised:
        call()
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)
    return raised.value


def test_errno_and_cause_are_kept(bench: Bench) -> None:
    bench.datapath.add_tunnel(bench.tunnel(1))
    for kind, number, spec in (
        (ExistsError, errno.EEXIST, bench.tunnel(1)),
        (ConflictError, errno.EADDRINUSE, bench.tunnel(2, local_port=20001)),
        (NoAddressError, errno.EADDRNOTAVAIL, bench.tunnel(2, local=ABSENT[4])),
        (NoRouteError, errno.ENETUNREACH, bench.tunnel(2, remote=UNROUTED[4])),
    ):
        error = refusal(kind, lambda spec=spec: bench.datapath.add_tunnel(spec))  # type: ignore[misc]
        assert error.errno == number
        assert isinstance(error.__cause__, OSError)
        assert error.__cause__.errno == number
    error = refusal(NotFoundError, lambda: bench.datapath.add_session(bench.tunnel(9), bench.session()))
    assert error.errno == errno.ENODEV


def test_a_session_id_that_another_tunnel_over_ip_has(bench: Bench) -> None:
    """Over IP nothing but the session id is in a packet."""
    first, second = bench.tunnel(1, encap=Encap.IP), bench.tunnel(2, encap=Encap.IP)
    for tunnel in (first, second):
        bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(first, bench.session(1))
    before = bench.footprint(bench.near)
    again = bench.session(2, session_id=0x1001)
    error = refusal(ConflictError, lambda: bench.datapath.add_session(second, again))
    assert str(error) == "session s2: session id 4097 is taken in the tunnel with id 101; give another --id"
    assert bench.footprint(bench.near) == before


def test_a_session_id_may_repeat_in_another_tunnel_over_udp(bench: Bench) -> None:
    for number in (1, 2):
        bench.datapath.add_tunnel(bench.tunnel(number))
        bench.datapath.add_session(bench.tunnel(number), bench.session(number, session_id=7))
    assert [len(seen.sessions) for seen in bench.datapath.tunnels(bench.near)] == [1, 1]


def test_an_alternative_name_of_a_netdev_is_taken_too(bench: Bench, joined: tuple[Host, Host]) -> None:
    bench.datapath.add_tunnel(bench.tunnel())
    joined[0].ip_batch(["link property add dev u0 altname other0"])
    try:
        error = refusal(
            ConflictError, lambda: bench.datapath.add_session(bench.tunnel(), bench.session(ifname="other0"))
        )
        assert "netdev other0 exists" in str(error)
    finally:
        joined[0].ip_batch(["link property del dev u0 altname other0"])


def test_a_route_that_prohibits(bench: Bench, joined: tuple[Host, Host]) -> None:
    joined[0].ip_batch(["route add prohibit 198.51.100.1"])
    try:
        tunnel = bench.tunnel(remote=UNROUTED[4])
        assert "198.51.100.1" in str(refusal(NoRouteError, lambda: bench.datapath.add_tunnel(tunnel)))
    finally:
        joined[0].ip_batch(["route del prohibit 198.51.100.1"])


def test_scoped_addresses_need_the_user_datapath(bench: Bench) -> None:
    tunnel = bench.tunnel(local=ip_address("fe80::1%u0"), remote=ip_address("fe80::2%u0"))
    error = refusal(UnavailableError, lambda: bench.datapath.add_tunnel(tunnel))
    assert error.remedy == "use --datapath user"


def test_no_local_address_yet(bench: Bench) -> None:
    refusal(InvalidValueError, lambda: bench.datapath.add_tunnel(bench.tunnel(local=None)))


def test_a_namespace_that_does_not_exist(bench: Bench) -> None:
    """pyroute2 0.9.7's L2tp(netns="nope") raises nothing, and looks at the caller's namespace."""
    with pytest.raises(NotFoundError, match="lt-nope"):
        bench.datapath.tunnels("lt-nope")


def test_without_privilege(bench: Bench) -> None:
    bench.datapath.add_tunnel(bench.tunnel())
    calls: list[Callable[[], object]] = [
        lambda: bench.datapath.tunnels(None),
        lambda: bench.datapath.add_tunnel(bench.tunnel(netns=None)),
        lambda: bench.datapath.del_tunnel(bench.tunnel(netns=None)),
        lambda: bench.datapath.add_session(bench.tunnel(netns=None), bench.session()),
        lambda: bench.datapath.set_session(bench.tunnel(netns=None), bench.session()),
        lambda: bench.datapath.del_session(bench.tunnel(netns=None), bench.session()),
    ]
    assert [_as_nobody(call) for call in calls] == ["NotPermittedError"] * len(calls)
    assert _as_nobody(lambda: print(KernelDatapath().probe())) == "", "probe raises nothing"


def _as_nobody(call: Callable[[], object]) -> str:
    """The class of what `call` raises in a child process without privilege."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            call()
        except NotPermittedError as error:
            os.write(writing, type(error).__name__.encode() if "root" in error.remedy else b"no remedy")
        except BaseException as error:
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


def test_a_deaf_listener_does_not_make_an_add_fail(bench: Bench) -> None:
    """Any local user may join the family's events, ask to be told of lost ones, and not read.

    Whoever makes a tunnel then gets ENOBUFS, though it is made (l2tp_tunnel_notify, netlink_broadcast). Seen on Linux
    6.12; 6.1 says nothing, so there this can't fail.
    """
    with inside(bench.near):
        listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    with listener:
        listener.bind((0, 0))  # without a port of its own it is passed over
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        listener.setsockopt(_SOL_NETLINK, _BROADCAST_ERROR, 1)
        listener.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _events_group())
        for number in range(1, 9):
            tunnel, session = bench.tunnel(number), bench.session(number)
            bench.datapath.add_tunnel(tunnel)
            bench.datapath.add_session(tunnel, session)
            bench.datapath.set_session(tunnel, session)
        for number in range(1, 5):
            bench.datapath.del_session(bench.tunnel(number), bench.session(number))
            bench.datapath.del_tunnel(bench.tunnel(number))
    assert [seen.tunnel_id for seen in bench.datapath.tunnels(bench.near)] == [105, 106, 107, 108]


def _events_group() -> int:
    from pyroute2.netlink import genlmsg
    from pyroute2.netlink.generic import GenericNetlinkSocket

    with GenericNetlinkSocket() as netlink:
        netlink.bind("l2tp", genlmsg)
        return int(netlink.mcast_groups["l2tp"])
