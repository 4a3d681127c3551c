"""Two hosts that follow their fleet by `l2tpctl watch --fleet`: from enrolling to a frame through the pseudowire."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.hosts import UNDERLAY, Host
from tests.waiting import eventually

_L2TPCTL = Path(sys.executable).with_name("l2tpctl")
_FILE = """
[tunnel.f]
remote = "{peer}"
local = "{own}"
datapath = "user"
id = 77
[tunnel.f.session.lan]
id = 78
tx-cookie = "none"
rx-cookie = "none"
address = "{inner}/24"
"""


_FLEET = """
[defaults]
datapath = "user"
[host.sitea]
reach = "nats"
address = "{a}"
[host.siteb]
reach = "nats"
address = "{b}"
[mesh.lan]
bridge = "br0"
address = "10.8.0.0/24"
"""


def end_file(own: str, peer: str, inner: str) -> str:
    """The file of one of two hosts: a tunnel `f` to the other one, whose session has the address `inner`."""
    return _FILE.format(own=own, peer=peer, inner=inner)


@pytest.mark.root
def test_a_fleet_of_two_hosts(underlay: tuple[Host, Host], tmp_path: Path) -> None:
    a, b = underlay
    nobody = a.v4.rpartition(".")[0] + ".77"
    url = f"nats://{a.v4}:4222"
    a.start([_L2TPCTL, "fleet", "serve", "--listen", f"{a.v4}:4222"])
    for host, name in ((a, "sitea"), (b, "siteb")):
        line = a.ctl("fleet", "enroll", name, "--url", url).stdout
        assert line.startswith("l2tpctl fleet join l2tpv3-fleet:1:")
        host.ctl("fleet", "join", "-", stdin=line)
        assert host.ctl("fleet", "join", "-", stdin=line, check=False).returncode == 4
        host.ctl("tunnel", "add", "own", "--remote", nobody, "--datapath", "user", "--local-port", "1799")
        host.start([_L2TPCTL, "watch", "--fleet", url])
    files = {"sitea": end_file(a.v4, b.v4, "10.9.0.1"), "siteb": end_file(b.v4, a.v4, "10.9.0.2")}
    for name, text in files.items():
        (tmp_path / f"{name}.toml").write_text(text)
    push = ["fleet", "push", "--url", url, *(f"{name}={tmp_path / name}.toml" for name in files)]
    eventually(lambda: a.ctl(*push, check=False).returncode == 0)
    eventually(lambda: "waits" not in a.ctl("fleet", "hosts", "--url", url).stdout)
    assert a.ping("10.9.0.2")
    rows = [row.split() for row in a.ctl("fleet", "hosts", "--url", url).stdout.splitlines()[1:]]
    assert [(row[0], row[3]) for row in rows] == [("sitea", "current"), ("siteb", "current")]
    # One end alone is changed, and both test; where frames do not pass, what was there before comes back.
    for mtu, passes in ((1300, True), (1200, False)):
        (tmp_path / "sitea.toml").write_text(files["sitea"] + f"mtu = {mtu}\n")
        if not passes:
            b.ip("neigh", "replace", a.v4, "lladdr", "02:00:00:00:00:99", "dev", UNDERLAY, "nud", "permanent")
        one = a.ctl("fleet", "push", "--url", url, "--wait", "5" if not passes else "50",
                    f"sitea={tmp_path / 'sitea.toml'}", check=False)  # fmt: skip
        assert one.returncode == (0 if passes else 2), one.stderr
        assert ("committed on 2 hosts" if passes else "no frame that is sent through it is answered") in one.stderr
    b.ip("neigh", "del", a.v4, "dev", UNDERLAY)
    eventually(lambda: "mtu 1300" in a.run(["ip", "link", "show", "type", "tun"]).stdout)
    # What the fleet has no more is removed; what is the host's own stays, and can't be taken.
    (tmp_path / "sitea.toml").write_text(files["sitea"].replace("tunnel.f", "tunnel.own"))
    refused = a.ctl(*push, check=False)
    assert refused.returncode == 2 and "this host's own" in refused.stderr
    assert a.ping("10.9.0.2")
    (tmp_path / "sitea.toml").write_text("")
    (tmp_path / "siteb.toml").write_text("")
    a.ctl(*push)
    eventually(lambda: "tunnel f" not in a.ctl("tunnel", "show").stdout)
    assert "own" in a.ctl("tunnel", "show").stdout and "own" in b.ctl("tunnel", "show").stdout
    # The same from one file of the fleet.
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(_FLEET.format(a=a.v4, b=b.v4))
    planned = a.ctl("fleet", "plan", str(fleet))
    assert f"+ tunnel lan.siteb: {a.v4} to {b.v4}" in planned.stdout and "+ link br0" in planned.stdout
    a.ctl("fleet", "apply", str(fleet), "--url", url)
    assert a.ping("10.8.0.2")
    assert "nothing to do" in a.ctl("fleet", "apply", str(fleet), "--url", url).stderr
    eventually(lambda: a.ctl("fleet", "status", str(fleet), "--url", url, check=False).returncode == 0)
    fleet.write_text(_FLEET.format(a=a.v4, b=b.v4).partition("[mesh")[0])
    assert "- link br0" in a.ctl("fleet", "apply", str(fleet), "--url", url).stdout
    eventually(lambda: all(host.run(["ip", "link", "show", "type", "tun"]).stdout == "" for host in (a, b)))
    fleet.write_text(_FLEET.format(a=a.v4, b=b.v4).replace('"nats"', '"ssh://sitea"', 1))
    mixed = a.ctl("fleet", "apply", str(fleet), "--url", url, check=False)
    assert mixed.returncode == 2 and "host siteb pulls from NATS, and host sitea is reached otherwise" in mixed.stderr
    b.ctl("fleet", "leave")
    assert b.ctl("fleet", "leave", check=False).returncode == 3
