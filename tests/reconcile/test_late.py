"""`apply --wait`: what can't be made yet holds up nothing else, and comes up once it can be made."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import pytest

from l2tpv3 import Condition, Manager, Paths
from l2tpv3.errors import NoRouteError, RefusedError
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.model.spec import TunnelSpec
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.here import Here, netdevs
from tests.hosts import Host, Hosts
from tests.waiting import PATIENCE_S, eventually
from tests.watching import said, told, watch

_L2TPCTL = Path(sys.executable).with_name("l2tpctl")
FAR = "203.0.113.1"
"""Without a route."""


@pytest.fixture
def ends(hosts: Hosts) -> tuple[Host, Host]:
    return hosts.pair()


def _site(host: Host, *, local: str | None, bridge: str = "") -> Path:
    """A file of three tunnels, to the second of which there is no route."""
    path = host.state_dir.parent / "site.toml"
    tunnels = [("t1", f"{host.v4[:-1]}2", ""), ("t2", FAR, f'local = "{local}"' if local else "")]
    lines = [f'[tunnel.{name}]\nremote = "{to}"\ndatapath = "user"\n{more}' for name, to, more in tunnels]
    lines.append(f'[tunnel.t3]\nremote = "{host.v4[:-1]}3"\ndatapath = "user"\nsession.lan.up = true')
    for name in ("t1", "t2"):
        lines.append(f"[tunnel.{name}.session.lan]\n{bridge if name == 't1' else ''}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
    return path


def _conditions(here: Here) -> dict[str, Condition]:
    return {one.name: one.condition for one in here.tunnels()}


@pytest.mark.root
def test_one_without_a_route_holds_up_no_other_and_watch_makes_it_later(ends: tuple[Host, Host]) -> None:
    a, b = ends
    site, here = _site(a, local=a.v4), Here(a)
    assert a.ctl("apply", "-f", str(site), check=False).returncode == 2
    assert here.records() == {}, "without --wait it is all or nothing"
    done = a.ctl("apply", "-f", str(site), "--wait", "0", check=False)
    assert done.returncode == 2
    *steps, last = done.stderr.splitlines()
    assert f"+ tunnel t2: {a.v4} to {FAR} over udp, user datapath, on record, where it waits" in steps
    assert last.startswith(f"l2tpctl: tunnel t2: can't reach --remote {FAR}")
    assert _conditions(here) == {"t1": Condition.UP, "t2": Condition.MISSING, "t3": Condition.UP}
    assert len(here.audit()) == 1
    (note,) = here.tunnel("t2").notes
    assert note.startswith("it waits: can't reach") and "`l2tpctl restore t2`" in note
    again = a.ctl("apply", "-f", str(site), "--wait", "0", check=False)
    assert again.returncode == 2 and len(here.audit()) == 1, "the same again changes nothing, and says so again"
    with watch(here) as process:
        a.ip("route", "add", f"{FAR}/32", "via", b.v4, "mtu", "1400")
        eventually(lambda: here.tunnel("t2").condition is Condition.UP)
        told(process, "tunnel t2: restored, session lan: mtu 1438 → 1338")
    assert here.session("t2", "lan").netdev.mtu == here.session("t1", "lan").netdev.mtu - 100
    assert not here.records()["t2"].waits and here.restore() == []


@pytest.mark.root
def test_it_is_waited_for_as_long_as_is_said(ends: tuple[Host, Host]) -> None:
    a, b = ends
    process = a.start([_L2TPCTL, "apply", "-f", str(_site(a, local=a.v4)), "--wait", "30"])
    eventually(lambda: "t2" in Here(a).records())
    a.ip("route", "add", f"{FAR}/32", "via", b.v4)
    assert process.wait(PATIENCE_S) == 0, said(process)
    assert set(_conditions(Here(a)).values()) == {Condition.UP}


@pytest.mark.root
def test_what_waits_is_confirmed_or_undone_with_the_rest(ends: tuple[Host, Host]) -> None:
    a, _ = ends
    site, here = str(_site(a, local=a.v4)), Here(a)
    assert a.ctl("apply", "-f", site, "--wait", "5", "--confirm", "60", check=False).returncode == 1
    assert a.ctl("apply", "-f", site, "--wait", "0", "--confirm", "60", check=False).returncode == 2
    assert set(here.records()) == {"t1", "t2", "t3"} and here.orphans()["t1"] is not None
    assert "t2" not in here.orphans(), "it is not made before it is confirmed"
    assert here.rollback() is not None
    assert here.records() == {} and netdevs(a) == set()


@pytest.mark.root
def test_one_whose_local_address_would_be_a_guess_is_refused(ends: tuple[Host, Host]) -> None:
    a, _ = ends
    done = a.ctl("apply", "-f", str(_site(a, local=None)), "--wait", "0", check=False)
    assert done.returncode == 2 and "--local" in done.stderr
    assert Here(a).records() == {} and netdevs(a) == set()


@pytest.mark.root
def test_what_runs_is_not_given_up_for_what_would_have_to_wait(ends: tuple[Host, Host]) -> None:
    a, b = ends
    here = Here(a)
    here.add_tunnel("t2", {"remote": b.v4, "local": a.v4, "datapath": "user"})
    here.add_session("t2", "lan", {})
    before = here.session("t2", "lan").netdev
    assert a.ctl("apply", "-f", str(_site(a, local=a.v4)), "--wait", "0", check=False).returncode == 2
    assert set(here.records()) == {"t2"} and str(here.records()["t2"].spec.remote) == b.v4
    assert here.session("t2", "lan").netdev == before


@pytest.mark.root
def test_sessions_and_links_wait_as_well(ends: tuple[Host, Host]) -> None:
    """A bridge that is not there yet keeps back its session, and a macvlan on a session that waits; nothing else."""
    a, b = ends
    here, site = Here(a), _site(a, local=a.v4, bridge='bridge = "br9"')
    with site.open("a") as file:
        file.write('[tunnel.t1.session.own]\n[link.card]\ntype = "macvlan"\nover = ["t2/lan"]\n')
    done = a.ctl("apply", "-f", str(site), "--wait", "0", check=False)
    assert done.returncode in (2, 3) and "no bridge br9" in done.stderr, done.stderr
    assert "t1" in here.records(), done.stderr
    assert {one.name: one.condition for one in here.tunnel("t1").sessions} == {
        "lan": Condition.MISSING, "own": Condition.UP,
    }  # fmt: skip
    a.ip("link", "add", "br9", "type", "bridge")
    a.ip("route", "add", f"{FAR}/32", "via", b.v4)
    assert here.restore() == ["link card", "t1", "t2"]
    assert here.session("t1", "lan").netdev.bridge == "br9" and here.without_netdevs() == set()
    assert "card" in netdevs(a)
    assert a.ctl("apply", "-f", str(site), "--wait", "0").stderr == "nothing to do: everything was as wanted\n"


class Refusing(MemoryDatapath):
    """Refuses the tunnel `c`."""

    def add_tunnel(self, tunnel: TunnelSpec) -> None:
        if tunnel.name == "c":
            raise RefusedError("tunnel c", "the kernel says no")
        super().add_tunnel(tunnel)


def test_what_time_does_not_mend_undoes_all_of_it(tmp_path: Path) -> None:
    memory = Refusing()
    manager = Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], MemoryConfigurator(memory))
    tunnel = functools.partial(DesiredTunnel, sessions=(DesiredSession(name="lan", words={}),))
    wanted = [
        tunnel(name="a", words={"remote": "127.0.0.2"}),
        tunnel(name="b", words={"remote": "127.0.0.3", "local": "192.0.2.77"}),
    ]
    more = tunnel(name="c", words={"remote": "127.0.0.4"})
    with pytest.raises(RefusedError, match="tunnel c: the kernel says no"):
        manager.apply([*wanted, more], may_wait=True)
    assert manager.records() == {} and memory.tunnels(None) == []
    assert set(manager.apply(wanted, may_wait=True).waiting) == {"b"}
    with pytest.raises((NoRouteError, RefusedError)):
        manager.restore()
    manager.del_tunnel("b")
    assert set(manager.records()) == {"a"}
