"""Tunnels follow their peer's name, and what was chosen from this host's surroundings, while `l2tpctl watch` runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.here import Here
from tests.hosts import Hosts
from tests.waiting import eventually
from tests.watching import told, watch

pytestmark = pytest.mark.root

_L2TPCTL = Path(sys.executable).with_name("l2tpctl")
_COOKIES = {"tx-cookie": "0011223344556677", "rx-cookie": "0011223344556677"}


class Named:
    """A host whose /etc/hosts is a file of the test's: `ip netns exec` gives each program mounts of its own."""

    def __init__(self, hosts: Hosts) -> None:
        near, far = hosts.pair()
        self.here, self.far = Here(near), Here(far)
        self.file = near.folder / "hosts"
        self.prefix = ["sh", "-c", f'mount --bind {self.file} /etc/hosts && exec "$@"', "sh"]
        far.ip("addr", "add", "10.99.0.3/24", "dev", "u0")
        self.name_is("10.99.0.2")

    def name_is(self, *addresses: str) -> None:
        """Have the peer's name stand for these. In place, as the file is mounted."""
        self.file.write_text("".join(f"{one} peer.test\n" for one in addresses))

    def ctl(self, *words: str, check: bool = True) -> str:
        done = self.here.host.run([*self.prefix, _L2TPCTL, *words], check=check)
        return done.stdout + done.stderr

    @property
    def tunnel(self) -> tuple[str, str]:
        status = self.here.tunnel("t")
        return str(status.local), str(status.spec.remote)

    def shake(self, address: str = "10.77.0.1/32") -> None:
        """Have an address appear, upon which names are looked up."""
        self.here.host.ip("addr", "replace", address, "dev", "lo")


@pytest.fixture
def named(hosts: Hosts) -> Iterator[Named]:
    yield Named(hosts)


def test_a_name_is_looked_up_for_add_plan_and_restore(named: Named, tmp_path: Path) -> None:
    refused = named.ctl("tunnel", "add", "t", "--remote", "nobody.test", check=False)
    assert "nobody.test has no address" in refused and not named.here.tunnels()
    named.ctl("tunnel", "add", "t", "--remote", "peer.test", "--datapath", "user")
    named.ctl("session", "add", "t", "lan", "--address", "10.9.0.1/24", "--mtu", "1400")
    assert named.tunnel == ("10.99.0.1", "10.99.0.2")
    assert "nobody looks up peer.test" in named.ctl("tunnel", "show", "t")
    file = tmp_path / "wanted.toml"
    file.write_text('[tunnel.t]\nremote = "peer.test"\ndatapath = "user"\n')
    netdev = named.here.session("t", "lan").netdev
    named.name_is("10.99.0.3")
    assert "remote 10.99.0.2 → 10.99.0.3" in named.ctl("plan", "-f", str(file), check=False)
    assert named.tunnel[1] == "10.99.0.2", "a plan changes nothing"
    named.ctl("restore", "t")
    assert named.tunnel[1] == "10.99.0.3" and named.here.session("t", "lan").netdev == netdev
    assert "nothing to do" in named.ctl("plan", "-f", str(file), check=False)
    named.name_is()
    named.ctl("down")
    assert "as before, since peer.test has no address now" in named.ctl("restore")
    assert named.tunnel[1] == "10.99.0.3"
    named.ctl("tunnel", "set", "t", "--remote-name", "none")
    assert named.here.tunnel("t").spec.remote_name is None and named.tunnel[1] == "10.99.0.3"


def test_watch_follows_a_name_and_heals_what_was_chosen(named: Named) -> None:
    here, host = named.here, named.here.host
    named.ctl("tunnel", "add", "t", "--remote", "peer.test", "--datapath", "user")
    here.add_session("t", "lan", {**_COOKIES, "address": ["10.9.0.1/24"]})
    here.add_tunnel("given", {"remote": "10.99.0.2", "local": "10.99.0.1", "local-port": "1709", "datapath": "user"})
    here.add_session("given", "lan", {**_COOKIES, "mtu": "1400"})
    named.far.add_tunnel("t", {"remote": "10.99.0.1", "local": "10.99.0.3", "datapath": "user"})
    named.far.add_session("t", "lan", {**_COOKIES, "address": ["10.9.0.2/24"]})
    netdev = here.session("t", "lan").netdev
    with watch(here, named.prefix) as process:
        named.name_is("10.99.0.3")
        named.shake()
        told(process, "tunnel t: restored, remote 10.99.0.2 → 10.99.0.3 (peer.test)")
        host.ping("10.9.0.2")
        assert here.session("t", "lan").netdev == netdev, "netdev and address have stayed"

        named.name_is()
        named.shake("10.77.0.2/32")
        eventually(lambda: any("has no address now" in note for note in here.tunnel("t").notes))
        assert named.tunnel[1] == "10.99.0.3", "nothing changes"

        host.ip_batch(["addr del 10.99.0.1/24 dev u0", "addr add 10.99.0.11/24 dev u0"])
        told(process, "tunnel t: restored, local 10.99.0.1 → 10.99.0.11")
        host.ip("link", "set", "u0", "mtu", "1400")
        told(process, "tunnel t: restored, session lan: mtu 1438 → 1338")
        given = here.tunnel("given")
        assert str(given.local) == "10.99.0.1" and "10.99.0.1 is not on this host any more" in given.notes[0]
        assert given.sessions[0].mtu == 1400
