"""Invitations: the line and what is wrong with it; and both ends made by one."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.connect.invitation import PREFIX, Invitation
from l2tpv3.errors import InvalidValueError
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from tests.hosts import Host
from tests.properties import MANY
from tests.waiting import PATIENCE_S, eventually

TUNNEL = {"remote": "192.0.2.1", "local": "192.0.2.2", "id": 7, "peer-id": 7, "local-port": 1701, "remote-port": 1702}
LAN = {"id": 8, "peer-id": 8, "tx-cookie": "0123456789abcdef", "rx-cookie": "none", "address": ["10.9.0.2/24"]}
INVITATION = Invitation(
    tunnel=DesiredTunnel(name="siteb", words=TUNNEL, sessions=(DesiredSession(name="lan", words=LAN),)),
    expires=2_000_000_000,
    secret=bytes(range(16)),
)


def test_a_line_says_what_the_invitation_was() -> None:
    line = INVITATION.line()
    assert Invitation.of_line(f" {line}\n") == INVITATION and len(line) < 500


@MANY
@given(place=st.integers(0, len(INVITATION.line()) - 1), letter=st.characters(codec="ascii"))
def test_an_altered_line_is_refused(place: int, letter: str) -> None:
    line = INVITATION.line()
    altered = line[:place] + letter + line[place + 1 :]
    try:
        found = Invitation.of_line(altered)
    except InvalidValueError as error:
        assert "0123456789abcdef" not in str(error) and line[20:] not in str(error)
    else:
        assert found == INVITATION, "only what stands for the same bits is taken"


@pytest.mark.parametrize("length", range(0, len(INVITATION.line()), 7))
def test_a_cut_line_is_refused(length: int) -> None:
    with pytest.raises(InvalidValueError):
        Invitation.of_line(INVITATION.line()[:length])


@pytest.mark.parametrize(
    "words", [{"netns": "other"}, {"tx-cookie": "@/etc/shadow"}, {"frob": 1}, {"rx-cookie": "credential:key"}]
)
def test_a_line_can_name_no_file_nor_place_of_this_host(words: dict[str, object]) -> None:
    (lan,) = INVITATION.tunnel.sessions
    tunnel = DesiredTunnel(
        name="siteb", words=TUNNEL, sessions=(DesiredSession(name="lan", words={**lan.words, **words}),)
    )
    with pytest.raises(InvalidValueError, match="not an invitation"):
        Invitation.of_line(dataclasses.replace(INVITATION, tunnel=tunnel).line())


def test_what_is_no_line_is_refused() -> None:
    for line, said in (("", "does not begin"), ("siteb", "does not begin"), (f"{PREFIX}2:abc", "version '2'")):
        with pytest.raises(InvalidValueError, match=said):
            Invitation.of_line(line)
    long = INVITATION.line()[:14] + "A" * 5000
    with pytest.raises(InvalidValueError, match="more than"):
        Invitation.of_line(long)
    (lan,) = INVITATION.tunnel.sessions
    bomb = dataclasses.replace(INVITATION, tunnel=DesiredTunnel(name="x" * 1_000_000, words=TUNNEL, sessions=(lan,)))
    assert len(bomb.line()) < 4096
    with pytest.raises(InvalidValueError, match="cut or altered"):
        Invitation.of_line(bomb.line())


@pytest.mark.root
def test_both_ends_by_one_line(underlay: tuple[Host, Host], tmp_path: Path) -> None:
    a, b = underlay
    words = ["--remote", b.v4, "--datapath", "user", "--address", "10.9.0.1/24", "--peer-address", "10.9.0.2/24"]
    words += ["--encrypt", "wireguard"]
    invited = a.ctl("invite", "siteb", *words, "--peer-name", "sitea", "--qr")
    line = invited.stdout
    assert line.count("\n") == 1 and "▄" in invited.stderr
    file = tmp_path / "line"
    file.write_text(line)
    assert b.ctl("join", f"@{file}", "--datapath", "user").stderr.startswith("tunnel sitea: joined")
    assert a.ping("10.9.0.2")
    again = b.ctl("join", "-", stdin=line, check=False)
    assert again.returncode == 4 and "was used on this host before" in again.stderr
    b.ctl("tunnel", "del", "sitea")
    again = b.ctl("join", f"@{file}", check=False)
    assert again.returncode == 4 and "was used on this host before" in again.stderr
    assert a.ctl("invite", "siteb", "--remote", b.v4, check=False).returncode == 4
    a.ctl("tunnel", "del", "siteb")
    expired = a.ctl("invite", "siteb", "--remote", b.v4, "--expires", "1", "--datapath", "user").stdout
    subprocess.run(["sleep", "2.1"], check=True, timeout=PATIENCE_S)
    late = b.ctl("join", expired.strip(), check=False)
    assert late.returncode == 1 and "expired" in late.stderr
    cut = b.ctl("join", line.strip()[:-9], check=False)
    assert cut.returncode == 1 and "cut or altered" in cut.stderr
    elsewhere = a.ctl("join", expired.strip(), check=False)
    assert elsewhere.returncode != 0
    assert json.loads(b.ctl("--json").stdout)["tunnels"] == []


@pytest.mark.root
def test_a_service_draws_the_other_ends_key(underlay: tuple[Host, Host], tmp_path: Path) -> None:
    """Invitations to a tunnel that is there, of each encryption; the key that it had before is kept unless asked."""
    a, b = underlay
    socket = tmp_path / "api.sock"
    a.start([Path(sys.executable).with_name("l2tpctl"), "serve", "--unix", str(socket)])
    eventually(socket.is_socket)
    with httpx.Client(
        transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://l2tpv3", timeout=PATIENCE_S
    ) as client:
        place = "/v1/tunnels/siteb"
        client.put(place, json={"remote": b.v4, "datapath": "user", "encrypt": "wireguard"}).raise_for_status()
        client.put(f"{place}/sessions/lan", json={"address": ["10.9.0.1/24"]}).raise_for_status()
        refused = client.get(f"{place}/invitation")
        assert refused.status_code == 409 and "POST" in refused.json()["remedy"]
        line = client.post(f"{place}/invitation").raise_for_status().text
        b.ctl("join", "-", "--datapath", "user", "--address", "10.9.0.2/24", stdin=line)
        eventually(lambda: a.ping("10.9.0.2", check=False))
        before = client.get(place).json()["wanted"]
        refused = client.post(f"{place}/invitation")
        assert refused.status_code == 409 and "has a key already" in refused.json()["problem"]
        assert client.get(place).json()["wanted"] == before
        other = client.post(f"{place}/invitation?replace_key=true").raise_for_status().text
        assert client.get(place).json()["wanted"]["peer_public_key"] != before["peer_public_key"]
    b.ctl("tunnel", "del", "siteb")
    b.ctl("join", "-", "--datapath", "user", "--address", "10.9.0.2/24", stdin=other)
    eventually(lambda: a.ping("10.9.0.2", check=False))
