"""`--fragment on`: what it goes together with, which datapath it takes, and that it is told everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.config import load
from l2tpv3.config.toml_writer import dump
from l2tpv3.documents.tunnel import session_from_json, session_to_json
from l2tpv3.errors import InvalidValueError, L2tpError, UnavailableError
from l2tpv3.formats.peer import commands
from l2tpv3.model.spec import Sequencing, SessionSpec
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.memory_links import memory_maker

ON = {"fragment": "on", "mtu": 1500, "tx-cookie": "none", "rx-cookie": "none"}


class _Kernel(MemoryDatapath):
    name = "kernel"


class _User(MemoryDatapath):
    name = "user"


class _Ebpf(MemoryDatapath):
    name = "ebpf"


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    """A host whose sessions are the user datapath's."""
    return host(tmp_path, "user")


def host(tmp_path: Path, seen: str) -> Manager:
    """A host of three datapaths, all in memory, of one of which the netdevs are seen. `auto` takes the kernel's."""
    datapaths: list[Any] = [_Kernel(), _User(), _Ebpf()]
    placer = MemoryConfigurator(next(one for one in datapaths if one.name == seen))
    maker = memory_maker(placer)
    return Manager(Paths(tmp_path / "state", tmp_path / "run"), datapaths, placer, lambda _: maker)


def test_it_numbers_packets_both_ways_by_itself() -> None:
    spec = SessionSpec(name="s", ifname="pw", fragment=True)
    assert (spec.sequencing, spec.numbering) == (Sequencing.NONE, Sequencing.BOTH)
    assert SessionSpec(name="s", ifname="pw", fragment=True, sequencing=Sequencing.BOTH).numbering is Sequencing.BOTH
    assert SessionSpec.from_record(spec.to_words()) == spec == SessionSpec.from_words(spec.to_words())


@pytest.mark.parametrize(
    ("words", "remedy"),
    [({"sublayer": "none"}, "--sublayer default"), ({"sequencing": "send"}, "--sequencing both"),
     ({"sequencing": "recv"}, "--sequencing both")],
)  # fmt: skip
def test_what_clashes_is_refused_with_what_to_give_instead(words: dict[str, str], remedy: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        SessionSpec.from_words({"name": "s", "ifname": "pw", "fragment": "on", **words})
    assert remedy in caught.value.remedy
    assert caught.value.field == "fragment"


def test_a_tunnel_whose_datapath_is_open_gets_one_that_can(manager: Manager) -> None:
    manager.add_tunnel("t", {"remote": "127.0.0.2"})
    assert manager.tunnel("t").datapath == "kernel"
    manager.add_session("t", "s", ON)
    assert manager.tunnel("t").datapath == "user"
    manager.add_session("t", "plain", {"mtu": 1400})
    assert manager.tunnel("t").datapath == "user"
    manager.set_session("t", "s", {"fragment": "off"})
    assert manager.tunnel("t").datapath == "user"  # nothing is interrupted for a better choice


def test_one_with_other_sessions_is_not_moved(tmp_path: Path) -> None:
    manager = host(tmp_path, "kernel")
    manager.add_tunnel("t", {"remote": "127.0.0.2"})
    manager.add_session("t", "plain", {"mtu": 1400})
    with pytest.raises(UnavailableError) as caught:
        manager.add_session("t", "s", ON)
    assert "`l2tpctl tunnel set t --datapath user`" in caught.value.remedy
    assert [one.name for one in manager.tunnel("t").sessions] == ["plain"]


@pytest.mark.parametrize("datapath", ["kernel", "ebpf"])
def test_datapaths_that_can_not_refuse_it(manager: Manager, datapath: str) -> None:
    manager.add_tunnel("t", {"remote": "127.0.0.2", "datapath": datapath})
    with pytest.raises(UnavailableError, match=f"the {datapath} datapath can't do --fragment"):
        manager.add_session("t", "s", ON)
    assert manager.tunnel("t").sessions == ()


def test_a_tunnel_with_such_a_session_keeps_a_datapath_that_can(manager: Manager) -> None:
    manager.add_tunnel("t", {"remote": "127.0.0.2", "datapath": "user"})
    manager.add_session("t", "s", ON)
    with pytest.raises(UnavailableError):
        manager.set_tunnel("t", {"datapath": "kernel"})
    manager.set_tunnel("t", {"datapath": "auto"})
    assert manager.tunnel("t").datapath == "user"


def test_a_file_makes_it_and_is_written_of_it(manager: Manager, tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    file.write_text('[tunnel.t]\nremote = "127.0.0.2"\n[tunnel.t.session.s]\nfragment = "on"\nmtu = 1500\n')
    manager.apply(load([file]))
    (session,) = manager.tunnel("t").sessions
    assert (session.spec.fragment, session.mtu, manager.tunnel("t").datapath) == (True, 1500, "user")
    assert 'fragment = "on"' in dump([(manager.tunnel("t").spec, [session.spec])])
    document = json.loads(json.dumps(session_to_json("t", session, secrets=True)))
    assert document["fragment"] is True
    assert session_from_json(document).spec == session.spec


def test_the_other_end_is_told_and_only_ours_can(manager: Manager) -> None:
    manager.add_tunnel("t", {"remote": "127.0.0.2", "local": "127.0.0.1"})
    manager.add_session("t", "s", ON)
    status = manager.tunnel("t")
    assert "--fragment on --mtu 1500" in commands(status).lines[1]
    for dialect in ("iproute2", "networkd", "vyos", "cisco", "routeros", "qemu", "ql2tpd"):
        with pytest.raises(L2tpError, match="only l2tpctl puts together") as caught:
            commands(status, dialect)
        assert "`l2tpctl session set t s --fragment off`" in caught.value.remedy
