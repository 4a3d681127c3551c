"""A fleet of real hosts in namespaces, on the user datapath: all change, or none."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3.fleet.noted import digest_of
from tests.fleet.many_hosts import L2TPCTL, LIMIT_S, ManyHosts
from tests.hosts import Hosts
from tests.waiting import eventually

pytestmark = [pytest.mark.root, pytest.mark.timeout(900)]

WIRE = '[wire.x]\nends = ["h1", "h2"]\nmtu = {mtu}\n'
MESH = '[mesh.lan]\nbridge = "br-lan"\naddress = "10.77.0.0/24"\nmtu = {mtu}\n'


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManyHosts]:
    made = Hosts()
    try:
        yield ManyHosts(made, tmp_path_factory.mktemp("fleet"), 3)
    finally:
        made.close()


def test_a_mesh_from_its_file_to_pings_and_away_again(three: ManyHosts, tmp_path: Path) -> None:
    three.write(MESH.format(mtu=1400), hosts=2)
    planned = three.ok("plan")
    assert "+ tunnel lan.h2: 192.0.2.1 to 192.0.2.2" in planned and not three.tunnels(three.all[0])
    assert "1 pseudowire tested, and all is confirmed" in three.ok("apply")
    h1, h2, h3 = three.all
    assert h1.ping("10.77.0.2")
    assert "nothing to do: every host has what the file says" in three.ok("apply")
    assert all("nothing waits" in host.ctl("confirm", check=False).stderr for host in (h1, h2))

    own = h1.ctl("tunnel", "add", "own", "--remote", "192.0.2.99", "--datapath", "user")
    assert own.returncode == 0
    before = h1.run(["cat", "/sys/class/net/br-lan/ifindex"]).stdout
    three.write(MESH.format(mtu=1400))
    added = three.ok("apply")
    assert "+ tunnel lan.h3: 192.0.2.1" in added and "+ tunnel lan.h2: 192.0.2.1" not in added
    assert "2 pseudowires tested" in added, "and not the one that was there"
    assert h1.ping("10.77.0.3") and h3.ping("10.77.0.2")
    assert h1.run(["cat", "/sys/class/net/br-lan/ifindex"]).stdout == before, "what is there stays"
    shown = three.status()
    assert [one["state"] for one in shown["hosts"]] == ["as committed"] * 3
    assert all(end["condition"] == "up" for wire in shown["wires"] for end in wire["ends"])

    three.write(MESH.format(mtu=1300), hosts=2)
    changed = three.ok("apply")
    assert "- tunnel lan.h1" in changed, "a host that has left the fleet has nothing of it"
    assert three.tunnels(h3) == [] and three.tunnels(h1) == ["lan.h2", "own"], "and what is the host's own stays"
    assert h1.run(["cat", "/sys/class/net/br-lan/mtu"]).stdout.strip() == "1300"
    three.write(hosts=2)
    three.ok("apply")
    assert three.tunnels(h1) == ["own"] and three.tunnels(h2) == []
    h1.ctl("tunnel", "del", "own")


def noted(three: ManyHosts, name: str) -> bool:
    """Whether a host says at once that it is as committed, without a comparison of everything."""
    committed = json.loads((three.folder / "fleet.toml.state").read_text())["committed"][name]
    request = json.dumps({"verb": "noted", "digest": digest_of(committed)})
    answer = three.by_name[name].run([L2TPCTL, "fleet-end"], stdin=request + "\n").stdout
    return bool(json.loads(answer)["answer"]["noted"])


def test_a_host_knows_at_once_that_it_is_as_committed_and_that_it_is_not(three: ManyHosts) -> None:
    three.write(MESH.format(mtu=1400), hosts=2)
    three.ok("apply")
    assert noted(three, "h1") and noted(three, "h2"), "since the confirmation"
    assert "nothing to do" in three.ok("plan")
    h1 = three.all[0]
    port = json.loads(h1.run(["ip", "-j", "link", "show", "master", "br-lan"]).stdout)[0]["ifname"]
    for words, back in (
        (["address", "del", "10.77.0.1/24", "dev", "br-lan"], ["address", "add", "10.77.0.1/24", "dev", "br-lan"]),
        (["link", "set", port, "mtu", "1300"], ["link", "set", port, "mtu", "1400"]),
        (["link", "set", port, "type", "bridge_slave", "isolated", "off"],
         ["link", "set", port, "type", "bridge_slave", "isolated", "on"]),
        (["link", "set", port, "nomaster"], None),
    ):  # fmt: skip
        h1.ip(*words)
        assert not noted(three, "h1"), words
        if back is not None:
            h1.ip(*back)
    assert "host h1:" in three.ok("plan")
    three.ok("apply")
    os.kill(h1.workers()[0], signal.SIGKILL)
    eventually(lambda: not noted(three, "h1"))
    three.ok("apply")
    h1.ctl("tunnel", "add", "own", "--remote", "192.0.2.99", "--datapath", "user")
    assert not noted(three, "h1"), "its record has changed"
    assert "nothing to do" in three.ok("plan") and noted(three, "h1"), "which is not what the fleet is about"
    h1.ctl("tunnel", "del", "own")


def old(three: ManyHosts) -> None:
    """Two hosts with one pseudowire, MTU 1400."""
    three.write(WIRE.format(mtu=1400), hosts=2)
    three.ok("apply")


def mtu(three: ManyHosts, name: str) -> int:
    """The MTU of the session of tunnel `x` at a host."""
    shown = json.loads(three.by_name[name].ctl("tunnel", "show", "x", "--json").stdout)
    return int(shown["tunnels"][0]["sessions"][0]["netdev"]["mtu"])


def refused(three: ManyHosts, *words: str) -> str:
    """What `apply` says when it refuses; nothing waits at any host afterwards."""
    done = three.run("apply", *words)
    assert done.returncode != 0, done.stderr
    for host in three.all:
        assert not json.loads(host.ctl("end-facts").stdout)["unconfirmed"]
    return done.stderr


def test_a_wire_that_does_not_pass_takes_all_hosts_back(three: ManyHosts) -> None:
    old(three)
    h1 = three.all[0]
    three.write(WIRE.format(mtu=1300) + '[wire.y]\nends = ["h1", "h3"]\n')
    h1.ip("neigh", "replace", "192.0.2.3", "lladdr", "02:00:00:00:00:99", "dev", "u0", "nud", "permanent")
    try:
        said = refused(three, "--confirm", "20")
    finally:
        h1.ip("neigh", "del", "192.0.2.3", "dev", "u0")
    assert "pseudowire y: no frame that is sent through it is answered" in said and "undoing at 3 hosts" in said
    assert [mtu(three, name) for name in ("h1", "h2")] == [1400, 1400]
    assert [three.tunnels(host) for host in three.all] == [["x"], ["x"], []]
    three.ok("apply")
    assert [three.tunnels(host) for host in three.all] == [["x", "y"], ["x"], ["y"]]


def test_ctrl_c_takes_all_hosts_back_and_only_one_change_goes_on_at_a_time(three: ManyHosts) -> None:
    old(three)
    three.write(WIRE.format(mtu=1300) + '[wire.y]\nends = ["h1", "h3"]\n')
    h1 = three.all[0]
    h1.ip("neigh", "replace", "192.0.2.3", "lladdr", "02:00:00:00:00:99", "dev", "u0", "nud", "permanent")
    try:
        with three.start("apply") as running:
            assert running.stderr is not None
            said = ""
            while "testing" not in said:
                line = running.stderr.readline()
                assert line, said
                said += line
            assert "another change has not ended" in refused_at_once(three)
            running.send_signal(signal.SIGINT)
            said += running.communicate(timeout=LIMIT_S)[1]
    finally:
        h1.ip("neigh", "del", "192.0.2.3", "dev", "u0")
    assert running.returncode == 130 and "undoing at 3 hosts" in said
    assert [three.tunnels(host) for host in three.all] == [["x"], ["x"], []] and mtu(three, "h1") == 1400


def refused_at_once(three: ManyHosts) -> str:
    """What `apply` says when another one goes on."""
    done = three.run("apply")
    assert done.returncode != 0
    return done.stderr


def test_what_is_somebody_elses_is_not_touched(three: ManyHosts) -> None:
    old(three)
    h1, h2, h3 = three.all
    h3.ctl("tunnel", "add", "y", "--remote", "192.0.2.99", "--datapath", "user")
    three.write(WIRE.format(mtu=1300) + '[wire.y]\nends = ["h1", "h3"]\n')
    said = refused(three)
    assert "host h3: tunnel y: is there, and is not the one of this fleet" in said
    assert mtu(three, "h1") == 1400 and three.tunnels(h1) == ["x"]
    h3.ctl("tunnel", "del", "y")

    h2.ctl("tunnel", "add", "z", "--remote", "192.0.2.99", "--datapath", "user")
    h2.ctl("tunnel", "set", "z", "--ttl", "9")
    three.write(WIRE.format(mtu=1300), hosts=2)
    apply = ["apply", "--file", str(three.folder / "own.toml"), "--confirm", "300"]
    (three.folder / "own.toml").write_text('[tunnel.z]\nremote = "192.0.2.98"\ndatapath = "user"\n')
    h2.ctl(*apply)
    done = three.run("apply")
    assert done.returncode == 4 and "host h2: a change waits for its confirmation" in done.stderr
    h2.ctl("rollback")
    h2.ctl("tunnel", "del", "z")

    state = three.folder / "fleet.toml.state"
    kept = state.read_text()
    state.unlink()
    assert "is not the one of this fleet" in refused(three)
    state.write_text(kept)
    three.ok("apply")


def test_two_names_of_one_host_and_a_lying_host_are_refused(three: ManyHosts) -> None:
    old(three)
    three.write(WIRE.format(mtu=1300) + '[wire.y]\nends = ["h1", "h3"]\n')
    three.let_in(three.all[0], as_name="h3")
    assert "host h3: is the same as host h1" in refused(three)
    lies = three.folder / "h3.sh"
    for answer, says in (
        ('{"answer": {"tunnels": 5}}', "it answers what can"),
        ("junk", "it answers what can"),
        ('{"answer": {"protocol": 99, "version": "9.9", "identity": "a", "tunnels": [], "tunnel_ids": [],'
         ' "session_ids": [], "ports": [], "unconfirmed": false}}', "of version 9.9, and can't be in one fleet"),
    ):  # fmt: skip
        lies.write_text(f"echo 'l2tpctl run-sent protocol 1 9.9' >&2\nread line\necho '{answer}'\nread line\nexit 0\n")
        assert says in refused(three)
    three.let_in(three.all[2])
    assert [mtu(three, name) for name in ("h1", "h2")] == [1400, 1400]


def test_a_host_that_cannot_be_reached(three: ManyHosts) -> None:
    old(three)
    h1, h2, h3 = three.all
    three.write(WIRE.format(mtu=1300) + '[wire.y]\nends = ["h1", "h3"]\n[wire.w]\nends = ["h1", "h2"]\n')
    three.shut_out(h2)
    try:
        said = refused(three)
        assert "Connection refused" in said and "`--partial` leaves such hosts out" in said
        assert three.tunnels(h1) == ["x"]
        said = three.ok("apply", "--partial")
        assert "waiting for a host that can't be reached: x, w" in said
        assert three.tunnels(h1) == ["x", "y"] and mtu(three, "h1") == 1400 and three.tunnels(h3) == ["y"]
        wires = {one["name"]: one for one in three.status()["wires"]}
        assert wires["y"]["good"] and [end["condition"] for end in wires["x"]["ends"]] == ["up", "unknown"]
    finally:
        three.let_in(h2)
    three.ok("apply")
    assert three.tunnels(h2) == ["w", "x"] and mtu(three, "h1") == mtu(three, "h2") == 1300
    assert three.run("status").returncode == 0
    h2.ctl("tunnel", "del", "w")
    done = three.run("status")
    assert done.returncode == 11 and "not as committed" in done.stdout and "not made" in done.stdout
    three.ok("apply")
    assert three.tunnels(h2) == ["w", "x"]
