"""A far end without l2tpctl, where `ip` is typed over a real sshd.

This host's kernel has no L2TP: `ip l2tp` at the far end is l2tpctl's own command of that grammar, on the user datapath;
every other word is for the real `ip`. tests/encryption/test_typed_end.py has the kernel's, and WireGuard.
"""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from l2tpv3.connect import echo
from l2tpv3.connect.typed_end import TypedEnd
from l2tpv3.errors import L2tpError, RefusedError
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from tests.hosts import Host
from tests.sshd import L2TPCTL, Sshd
from tests.waiting import PATIENCE_S, eventually

TUNNEL = {"local": "10.99.0.2", "remote": "10.99.0.1", "id": 7, "peer-id": 7, "local-port": 1701, "remote-port": 1702}
LAN = {
    "id": 8,
    "peer-id": 8,
    "tx-cookie": bytes(range(8)),
    "rx-cookie": bytes(range(8, 16)),
    "address": ["10.9.0.2/24"],
}
WANTED = DesiredTunnel(name="t", words=TUNNEL, sessions=(DesiredSession(name="lan", words=LAN),))
KEYS = {
    "encrypt": "wireguard",
    "private-key": "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
    "peer-public-key": "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
    "listen-port": 51821,
    "peer-listen-port": 51820,
}
IP = """\
#!/bin/sh
[ "$1" = l2tp ] || exec /usr/sbin/ip "$@"
[ ! -e {folder}/broken ] || [ "$2 $3" != "add session" ] || {{ echo "RTNETLINK answers: File exists" >&2; exit 2; }}
shift
exec {l2tpctl} ip-l2tp --datapath user "$@"
"""


@dataclass(frozen=True)
class Shell:
    """This host, where a shell reads a script. path: where it finds programs, before all others."""

    path: str = ""
    url: str = "ssh://far"
    host: str = "far"
    program: str = "sh"
    here: bool = False
    destination: str = "far"
    known_as: str = "far"

    def argv(self, *_: str) -> list[str]:
        return ["sh", "-c", f"PATH={self.path}:$PATH; export PATH; exec sh -s '10.0.0.1 1 10.0.0.2 22'"]


def typed_end(tmp_path: Path, ip: str, **words: object) -> TypedEnd:
    (tmp_path / "ip").write_text(f"#!/bin/sh\n{ip}\n")
    (tmp_path / "ip").chmod(0o755)
    end = TypedEnd(Shell(str(tmp_path)), "at far")
    lan = DesiredSession(name="lan", words={**LAN, "tx-cookie": secrets.token_bytes(8)})  # no two tests share a mark
    end.wanted = DesiredTunnel(name="t", words={**TUNNEL, **words}, sessions=(lan,))
    return end


def test_the_plan_is_what_is_typed_without_secrets(tmp_path: Path) -> None:
    end = typed_end(tmp_path, "[ $1 = -o ] && echo '1: wg-l2tp: <UP> mtu 1420 x'; exit 0", **KEYS)
    facts = end.facts()
    assert facts.ssh_addresses == ("10.0.0.1", "10.0.0.2") and not facts.tunnel_ids
    plan = [step.text.strip("`") for step in end.plan()]
    assert plan[0] == "ip link add wg-l2tp0 type wireguard"
    assert plan[1].startswith("wg set wg-l2tp0 listen-port 51821 private-key /dev/stdin peer xTIBA5")
    assert [line.split()[:4] for line in plan[5:]] == [
        ["ip", "l2tp", "add", "tunnel"], ["ip", "l2tp", "add", "session"], ["ip", "link", "set", "dev"],
        ["ip", "address", "add", "10.9.0.2/24"],
    ]  # fmt: skip
    assert "cookie ... peer_cookie ..." in plan[6] and "yAnz5" not in "".join(plan)


@pytest.mark.parametrize(
    ("ip", "says"),
    [
        ("echo 'Error talking to the kernel' >&2; exit 1", "`ip l2tp` can't be used: Error talking to the kernel"),
        ("[ $1 = -o ] || echo Tunnel 1, encap UDP; [ $3 != session ] || echo Session 99999999999x", ""),
    ],
)
def test_what_an_end_lacks_is_told(tmp_path: Path, ip: str, says: str) -> None:
    end = typed_end(tmp_path, ip)
    if not says:
        assert end.facts().tunnel_ids == {1}
        return
    with pytest.raises(L2tpError, match=says):
        end.facts()


def notes(end: TypedEnd) -> bool:
    """Whether the end still has the folder in which it notes what was made."""
    return Path("/run", f"l2tpv3-connect-{end._folder}").exists()


def log(tmp_path: Path) -> list[str]:
    return (tmp_path / "log").read_text().splitlines()


FAKE = """\
folder=$(dirname "$0")
[ "$1" = -o ] && {{ cat "$folder/$5" 2>/dev/null; exit 0; }}
[ "$2" = show ] && exit 0
echo "$*" >> "$folder/log"
{then}"""
"""Notes what is typed, and has a file for each netdev, which holds its line of `ip -o link`."""


def test_only_what_was_made_is_taken_back_and_the_last_thing_first(tmp_path: Path) -> None:
    fails = 'case "$*" in "address add"*) echo "RTNETLINK answers: File exists" >&2; exit 2;; esac'
    makes = 'case "$*" in "l2tp add session"*) echo "7: l2tpeth0: x" > "$folder/l2tpeth0";; esac'
    end = typed_end(tmp_path, FAKE.format(then=f"{makes}\n{fails}"))
    with pytest.raises(RefusedError, match=r"at far: `ip address add 10\.9\.0\.2/24 dev l2tpeth0`: RTNETLINK"):
        end.apply(30)
    assert [line.split()[:3] for line in log(tmp_path)][-2:] == [["l2tp", "del", "session"], ["l2tp", "del", "tunnel"]]
    assert not notes(end)
    fails = 'case "$*" in "l2tp add tunnel"*) exit 2;; esac'
    end = typed_end(tmp_path, FAKE.format(then=fails))
    (tmp_path / "log").unlink()
    with pytest.raises(RefusedError):
        end.apply(30)
    assert len(log(tmp_path)) == 1, "a tunnel that was there already is not ours to delete"


def test_a_netdev_that_others_made_anew_is_not_taken_back(tmp_path: Path) -> None:
    makes = 'case "$*" in "l2tp add session"*) echo "7: l2tpeth0: x" > "$folder/l2tpeth0";; esac'
    end = typed_end(tmp_path, FAKE.format(then=makes))
    end.apply(30)
    (tmp_path / "l2tpeth0").write_text("8: l2tpeth0: x\n")
    end.roll_back()
    assert not any("del session" in line for line in log(tmp_path))


def test_what_nobody_confirms_is_undone_and_what_is_confirmed_stays(tmp_path: Path) -> None:
    makes = 'case "$*" in "l2tp add session"*) echo "7: l2tpeth0: x" > "$folder/l2tpeth0";; esac'
    end = typed_end(tmp_path, FAKE.format(then=makes))
    end.apply(1)
    eventually(lambda: any("del tunnel" in line for line in log(tmp_path)) and not notes(end))
    with pytest.raises(L2tpError, match="is there no more"):
        end.confirm()
    (tmp_path / "log").unlink()
    end.apply(6)
    end.confirm()
    end.roll_back()
    time.sleep(7)  # the time of the confirmation is over, and nothing is to happen
    assert not any("del" in line for line in log(tmp_path))
    assert not notes(end)


def test_half_a_script_does_nothing(tmp_path: Path) -> None:
    from l2tpv3.connect import typed_script
    from l2tpv3.connect.typed_commands import place_of, typed_commands

    typed_end(tmp_path, FAKE.format(then=""))
    place = place_of(WANTED, ())
    text = typed_script.apply("half", typed_commands(WANTED, place), 30)
    for length in range(0, len(text) - len('typed "$1"\n'), 97):
        command = ["sh", "-s"]
        subprocess.run(command, input=text[:length].encode(), env={"PATH": f"{tmp_path}:/bin"}, capture_output=True)
    assert not (tmp_path / "log").exists() and not Path("/run/l2tpv3-connect-half").exists()


def test_an_echo_request_has_the_checksum_of_the_rfc() -> None:
    ends = bytes(6), IPv6Address("fe80::1"), bytes(6), IPv6Address("fe80::2")
    # By scapy 2.5: raw(IPv6(src="fe80::1", dst="fe80::2")/ICMPv6EchoRequest(id=0x0102, seq=0x0304)).
    assert echo._frame(*ends, 128, bytes.fromhex("01020304"))[54:58].hex() == "80007eb2"


@pytest.fixture
def far(pair: tuple[Host, Host], tmp_path: Path) -> Iterator[Sshd]:
    (tmp_path / "ip").write_text(IP.format(folder=tmp_path, l2tpctl=L2TPCTL))
    (tmp_path / "ip").chmod(0o755)
    sshd = Sshd(pair[1], PATH=f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin")
    yield sshd
    for host in pair:
        for one in json.loads(host.ctl("--json").stdout)["tunnels"]:
            host.ctl("tunnel", "del", one["name"])


def tunnels(host: Host) -> list[str]:
    return [one["name"] for one in json.loads(host.ctl("--json").stdout)["tunnels"]]


def run(near: Host, far: Sshd, *words: str) -> tuple[int, str, str]:
    environment = near.environment | {"L2TPV3_SSH": far.environment["L2TPV3_SSH"]}
    command = ["ip", "netns", "exec", near.netns, L2TPCTL, *words]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=PATIENCE_S)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.root
def test_both_ends_and_away_again(pair: tuple[Host, Host], far: Sshd, tmp_path: Path) -> None:
    a, b = pair
    words = ["connect", "siteb", "--host", far.url, "--as", "iproute2", "--datapath", "user"]
    words += ["--address", "10.9.0.1/24", "--peer-address", "10.9.0.2/24"]
    (tmp_path / "broken").touch()
    code, out, err = run(a, far, *words)
    assert code == 2 and "RTNETLINK answers: File exists" in err and "+ tunnel siteb: `ip l2tp add tunnel" in out
    assert not tunnels(a) and not tunnels(b)
    (tmp_path / "broken").unlink()
    code, out, err = run(a, far, *words)
    assert code == 0 and "bytes pass both ways" in err and "nothing of this outlives a reboot" in err, err
    assert a.ping("10.9.0.2") and tunnels(a) == ["siteb"]
    assert run(a, far, "disconnect", "siteb")[0] == 0
    assert not tunnels(a) and not tunnels(b)


@pytest.mark.root
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--as vyos", "'vyos' is unknown"),
        ("--as iproute2 --peer-name b", "--peer-name: means nothing with --as iproute2"),
        ("--as iproute2 --encrypt ipsec", "--encrypt: ipsec takes a file for strongSwan there"),
        ("--as iproute2 --peer-datapath user", "--peer-datapath: is the kernel's"),
        ("--as iproute2 --fragment on", "only l2tpctl at both ends"),
    ],
)
def test_words_that_mean_nothing_there(pair: tuple[Host, Host], words: str, says: str) -> None:
    done = pair[0].ctl("connect", "siteb", "--host", "ssh://[::1]:1", *shlex.split(words), check=False)
    assert done.returncode == 1 and says in done.stderr
