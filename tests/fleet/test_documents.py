"""What each host of a fleet is to have, and the state that it is made from."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from l2tpv3.config import load
from l2tpv3.errors import NotFoundError, RefusedError
from l2tpv3.fleet.documents import host_document, host_text, pairs_of, without_secrets
from l2tpv3.fleet.draws import draw
from l2tpv3.fleet.model import Fleet
from l2tpv3.fleet.pairs import all_pairs
from l2tpv3.fleet.state import FleetState, read_state, state_path, write_state
from l2tpv3.model.desired import DesiredLink, DesiredTunnel
from tests.fleet.authored import fleet_of

MESH = '[mesh.lan]\nbridge = "br-lan"\naddress = ["10.0.0.0/24", "fd00::/64"]\nports = { h1 = "eth1" }\n'


def drawn(fleet: Fleet, state: FleetState | None = None) -> FleetState:
    state = state or FleetState()
    state.drawn = draw(all_pairs(fleet), state.drawn, {})
    state.number_hosts(fleet)
    return state


def test_both_ends_mirror_each_other(tmp_path: Path) -> None:
    fleet = fleet_of(tmp_path, 3, MESH)
    state = drawn(fleet)
    documents = {host: host_document(fleet, state, host, pairs_of(fleet, host)) for host in fleet.hosts}
    tunnels = {(host, one.name): one for host in documents for one in documents[host] if isinstance(one, DesiredTunnel)}
    near, far = tunnels["h1", "lan.h2"], tunnels["h2", "lan.h1"]
    for mine, theirs in (("remote", "local"), ("id", "peer-id"), ("local-port", "remote-port")):
        assert near.words[mine] == far.words[theirs] and near.words[theirs] == far.words[mine]
    session, other = near.sessions[0].words, far.sessions[0].words
    assert session["tx-cookie"] == other["rx-cookie"] != session["rx-cookie"] == other["tx-cookie"]
    bridge = documents["h1"][-1]
    assert isinstance(bridge, DesiredLink)
    assert bridge.words["over"] == ["lan.h2/wire", "lan.h3/wire", "eth1"]
    assert bridge.words["isolated"] == ["lan.h2/wire", "lan.h3/wire"], "a full mesh is no loop"
    assert bridge.words["address"] == ["10.0.0.1/24", "fd00::1/64"]


def test_a_hub_passes_frames_on_and_spokes_have_one_wire(tmp_path: Path) -> None:
    fleet = fleet_of(tmp_path, 3, '[mesh.lan]\nshape = "hub"\nhub = "h2"\nbridge = "b"\n')
    state = drawn(fleet)
    bridges = {host: host_document(fleet, state, host, pairs_of(fleet, host))[-1].words for host in fleet.hosts}
    assert bridges["h2"]["over"] == ["lan.h1/wire", "lan.h3/wire"] and "isolated" not in bridges["h2"]
    assert bridges["h1"]["over"] == ["lan.h2/wire"]


def test_text_is_a_file_that_apply_takes(tmp_path: Path) -> None:
    fleet = fleet_of(tmp_path, 3, '[defaults]\nencrypt = "wireguard"\nmtu = 1400\n', MESH)
    state = drawn(fleet)
    file = tmp_path / "h1.toml"
    file.write_text(host_text(fleet, state, "h1"))
    assert [one.name for one in load([file])] == ["lan.h2", "lan.h3", "br-lan"]
    shown = str(without_secrets(host_document(fleet, state, "h1", pairs_of(fleet, "h1"))))
    assert state.drawn["lan/h1/h2"].cookies[0].hex() not in shown and "hidden" not in shown  # words have no repr
    with pytest.raises(NotFoundError, match="hosts are h1, h2, h3"):
        host_text(fleet, state, "h9")


def test_hosts_keep_their_numbers(tmp_path: Path) -> None:
    state = drawn(fleet_of(tmp_path, 3, '[mesh.lan]\nhosts = ["h3", "h1"]\nbridge = "b"\naddress = "10.0.0.0/30"\n'))
    assert state.numbers["lan"] == {"h3": 1, "h1": 2}
    fleet = fleet_of(tmp_path, 3, '[mesh.lan]\nhosts = ["h1", "h2"]\nbridge = "b"\naddress = "10.0.0.0/30"\n')
    drawn(fleet, state)
    assert state.numbers["lan"] == {"h3": 1, "h1": 2, "h2": 3}, "the number of a host that left is nobody else's"
    with pytest.raises(RefusedError, match="has no address number 3 for host h2"):
        host_document(fleet, state, "h2", pairs_of(fleet, "h2"))


def test_state_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    fleet = fleet_of(tmp_path, 3, '[mesh.lan]\nencrypt = "ipsec"\n')
    assert read_state(fleet.file) == FleetState()
    state = drawn(fleet)
    state.committed["h1"] = host_text(fleet, state, "h1")
    write_state(fleet.file, state)
    assert read_state(fleet.file) == state
    assert stat.S_IMODE(state_path(fleet.file).stat().st_mode) == 0o600
    state_path(fleet.file).write_text('{"format": 2}')
    with pytest.raises(RefusedError, match="is not the state of a fleet"):
        read_state(fleet.file)
