"""`l2tpctl doctor --both`: both ends compared, and what arrives at each while the other one sends."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from l2tpv3.connect.both_ends import joined
from l2tpv3.doctor.comparison import Wire, clocks, compared, counterpart
from l2tpv3.doctor.ends import HostEnd, TunnelEnd, end_from_json, end_of
from l2tpv3.doctor.report import Report
from l2tpv3.errors import InvalidValueError
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.model.status import Condition, SessionStatus, TunnelStatus
from tests.hosts import Host
from tests.sshd import L2TPCTL, Sshd

ONE, TWO = bytes(range(8)), bytes(range(8, 16))


def _end(*, far: bool = False, **words: Any) -> TunnelEnd:
    """One end of a healthy pseudowire, or the far one of it. words: what is different about its session."""
    here, there = ("192.0.2.1", "192.0.2.2")[:: -1 if far else 1]
    cookies = (TWO, ONE) if far else (ONE, TWO)
    session = SessionSpec(name="lan", ifname="l0", session_id=2 - far, peer_session_id=1 + far,
                          tx_cookie=cookies[0], rx_cookie=cookies[1])  # fmt: skip
    spec = TunnelSpec(name="siteb", remote=ip_address(there), local=ip_address(here))
    of_session = SessionStatus(name="lan", spec=session, condition=Condition.UP)
    status = TunnelStatus(name="siteb", spec=spec, condition=Condition.UP, datapath="user", sessions=(of_session,))
    (told,) = end_of([status], b"nonce").tunnels
    mac = f"02:00:00:00:00:0{1 + far}"
    changed = dataclasses.replace(told.sessions[0], **{"mtu": 1438, "mac": mac, **words})
    return dataclasses.replace(told, sessions=(changed,))


def _causes(near: TunnelEnd, far: TunnelEnd) -> list[tuple[str, Harm]]:
    return [(one.cause, one.harm) for one in compared(Wire(near=near, far=far, there="at siteb"))]


@pytest.mark.parametrize(
    ("words", "cause", "harm", "says"),
    [
        ({"id": 9}, "session-id", Harm.STOPS, "sends to session id 1, and at siteb it has 9"),
        ({"peer_id": 9}, "session-id", Harm.STOPS, "at siteb sends to session id 9, and session lan has 2"),
        ({"tx_cookie": "0" * 64}, "nothing-accepted", Harm.STOPS, "the rx-cookie of session lan is not the tx-cookie"),
        ({"rx_cookie": ""}, "nothing-accepted", Harm.STOPS, "the tx-cookie of session lan is not the rx-cookie"),
        ({"sublayer": False}, "sublayer", Harm.STOPS, "has the L2-specific sublayer here alone"),
        ({"takes": True}, "nothing-accepted", Harm.STOPS, "takes only numbered packets at siteb, and here it sends"),
        ({"sends": True}, "sequencing", Harm.NONE, "numbers its packets at siteb, and here nobody looks"),
        ({"fragment": True}, "fragment", Harm.LOSES, "in fragments (RFC 4623) at siteb alone"),
        ({"vlan": 7}, "vlan", Harm.LOSES, "carries one VLAN at siteb"),
        ({"mtu": 1500}, "mtu", Harm.LOSES, "takes 1438 bytes here, and 1500 at siteb"),
        ({"mac": "02:00:00:00:00:01"}, "own-mac", Harm.LOSES, "both ends of session lan have MAC address 02:00"),
    ],
)
def test_what_differs_between_sessions(words: dict[str, Any], cause: str, harm: Harm, says: str) -> None:
    (found,) = compared(Wire(near=_end(), far=_end(far=True, **words), there="at siteb"))
    assert (found.cause, found.harm) == (cause, harm) and says in found.says and found.remedy


@pytest.mark.parametrize(
    ("change", "cause", "harm"),
    [
        ({"encap": "ip", "local_port": 0, "remote_port": 0}, "encap", Harm.STOPS),
        ({"local_port": 1702}, "elsewhere", Harm.STOPS),
        ({"local": "10.0.0.2"}, "nat", Harm.NONE),
        ({"encrypt": "wireguard"}, "encryption", Harm.STOPS),
        ({"keys": ("", "A" * 43 + "=")}, "encryption", Harm.STOPS),
        ({"shared_key": "0" * 64}, "encryption", Harm.STOPS),
        ({"sessions": ()}, "session-id", Harm.STOPS),
    ],
)
def test_what_differs_between_tunnels(change: dict[str, Any], cause: str, harm: Harm) -> None:
    found = _causes(_end(), dataclasses.replace(_end(far=True), **change))
    assert found == [(cause, harm)]


def test_healthy_ends_and_swapped_cookies() -> None:
    assert _causes(_end(), _end(far=True)) == []
    near = _end()
    same = {name: getattr(near.sessions[0], name) for name in ("tx_cookie", "rx_cookie")}
    (found,) = compared(Wire(near=near, far=_end(far=True, **same), there="at siteb"))
    assert "swapped" in found.says


def test_checksums_over_ipv6() -> None:
    v6: dict[str, Any] = {"local": "fd00::1", "remote": "fd00::1"}
    near, far = (dataclasses.replace(end, **v6) for end in (_end(), _end(far=True)))
    assert _causes(near, far) == []
    assert _causes(near, dataclasses.replace(far, udp_checksum=False)) == [("no-checksum", Harm.STOPS)]


def test_what_the_far_end_says_outweighs_guesses() -> None:
    def report(*causes: str) -> Report:
        found = [Finding(cause=one, harm=Harm.STOPS, subject="tunnel t", says=one) for one in causes]
        return Report(about=("t",), findings=tuple(found), listened_s=2.0)

    wire = Wire(near=_end(), far=_end(far=True), there="at siteb")
    assert [one.cause for one in joined(wire, None, report("refused"), report("not-running")).findings] == [
        "not-running"
    ]
    lost = joined(wire, None, report(), report()).findings
    assert [one.cause for one in lost] == ["dropped-on-the-way"] * 2  # each way
    both = joined(wire, None, report("not-sent"), report("silence")).findings
    assert "dropped-on-the-way" not in [one.cause for one in both]


def test_which_tunnel_is_the_other_end() -> None:
    near, far = _end(), _end(far=True)
    other = dataclasses.replace(far, name="other", remote="192.0.2.9")
    elsewhere = dataclasses.replace(far, name="siteb", remote="192.0.2.9", sessions=())
    told = HostEnd(version="1", clock=0.0, tunnels=(elsewhere, other, dataclasses.replace(far, name="sitea")))
    found = counterpart(near, told)
    assert found is not None and found.name == "sitea"
    stranger = dataclasses.replace(elsewhere, name="nobody", local="192.0.2.8")
    assert counterpart(near, HostEnd(version="1", clock=0.0, tunnels=(stranger,))) is None


def test_clocks_and_versions_apart() -> None:
    far = HostEnd(version="2", clock=1000.0, tunnels=())
    assert list(clocks((998.0, 1003.0), far, "2", "at siteb")) == []
    ahead, version = clocks((800.0, 900.0), far, "1", "at siteb")
    assert "at siteb is 100 s ahead of" in ahead.says and "version 2 at siteb, and 1 here" in version.says
    (behind,) = clocks((1090.0, 1100.0), far, "2", "at siteb")
    assert "is 90 s behind" in behind.says


_SPOILT: list[Callable[[dict[str, Any]], Any]] = [
    lambda told: told["tunnels"][0].update(name="x`reboot`"),
    lambda told: told["tunnels"][0].update(local="$(reboot)"),
    lambda told: told["tunnels"][0].update(keys=["`", ""]),
    lambda told: told["tunnels"][0]["sessions"][0].update(mac="02:00\n"),
    lambda told: told["tunnels"][0]["sessions"][0].update(tx_cookie="secret"),
    lambda told: told.update(version="\x1b[2J"),
    lambda told: told.pop("clock"),
    lambda told: told.update(tunnels=7),
]


@pytest.mark.parametrize("spoil", _SPOILT)
def test_what_the_far_end_says_is_read_with_care(spoil: Callable[[dict[str, Any]], Any]) -> None:
    document = dataclasses.asdict(HostEnd(version="1", clock=1.0, tunnels=(_end(),)))
    document = json.loads(json.dumps(document))
    assert end_from_json(document).tunnels == (_end(),)
    assert ONE.hex() not in json.dumps(document), "a cookie is a secret"
    spoil(document)
    with pytest.raises((KeyError, TypeError, ValueError, InvalidValueError)):
        end_from_json(document)


def _doctor(near: Host, sshd: Sshd, *words: str) -> tuple[int, str, str]:
    ssh = sshd.environment["L2TPV3_SSH"]
    command = ["env", f"L2TPV3_SSH={ssh}", L2TPCTL, "doctor", "siteb", "--both", sshd.url, *words]
    done = near.run(command, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.root
def test_both_ends_of_a_real_wire(pair: tuple[Host, Host], sshd: Sshd) -> None:
    a, b = pair
    for host, other, name in ((a, b, "siteb"), (b, a, "sitea")):
        host.ctl("tunnel", "add", name, "--remote", other.v6, "--datapath", "user")
        host.ctl("session", "add", name, "lan", "--tx-cookie", "none", "--rx-cookie", "none")
    code, out, err = _doctor(a, sshd)
    assert code == 0 and " packets came in as they should" in out, out + err
    wrong = ["lladdr", "02:00:00:00:00:99", "dev", "u0"]  # so that no netdev takes what is sent
    a.ip("neigh", "replace", b.v6, *wrong, "nud", "permanent")
    code, out, err = _doctor(a, sshd, "--no-probe", "--listen", "1")
    assert code == 11 and "nothing that is sent here arrives at Far-Host" in out, out + err
    a.ip("neigh", "del", b.v6, *wrong)
    b.ctl("session", "set", "sitea", "lan", "--sublayer", "none")
    code, out, err = _doctor(a, sshd, "--json", "--listen", "1")
    found = json.loads(out)["findings"][0]
    assert (code, found["cause"], found["harm"]) == (11, "sublayer", "stops"), out + err
    assert any("packets of this kind came" in line for line in found["evidence"]), "what arrived is the evidence"
    b.ctl("tunnel", "del", "sitea")
    code, out, err = _doctor(a, sshd, "--listen", "0.1")
    assert code == 11 and "at Far-Host no tunnel has the addresses" in out, out + err
