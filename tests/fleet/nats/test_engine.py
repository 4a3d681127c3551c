"""The engine of an agent, on a host in memory: it touches nothing that is not the fleet's."""

from __future__ import annotations

import pytest

from l2tpv3.errors import ConflictError, ExistsError, InvalidValueError
from l2tpv3.fleet.nats.engine import HostEngine
from tests.memory_host import Host, host

_ONE = '[tunnel.f1]\nremote = "127.0.0.2"\nlocal = "127.0.0.1"\nid = 11\n[tunnel.f1.session.lan]\nid = 1\n'
_TWO = '[tunnel.f2]\nremote = "127.0.0.3"\nlocal = "127.0.0.1"\nid = 12\n'
_LINK = '[link.fbr]\ntype = "bridge"\nover = ["f1/lan"]\n'


def _own(one: Host) -> None:
    one.manager.add_tunnel("own", {"remote": "127.0.0.9", "local": "127.0.0.1", "id": 99})


def _names(one: Host) -> set[str]:
    return {*one.manager.records(), *(f"link {each.name}" for each in one.manager.links.all())}


def test_only_the_fleets_own_is_changed_and_removed() -> None:
    with host() as one:
        _own(one)
        engine = HostEngine(one.manager)
        assert engine.names(_ONE + _LINK) == {"f1", "link fbr"}
        assert engine.make(_ONE + _LINK, frozenset(), None) is None
        assert _names(one) == {"own", "f1", "link fbr"}
        other = _ONE.replace("session.lan", "session.wan").replace("id = 1\n", "id = 2\n")
        engine.make(other, {"f1", "link fbr"}, None)
        assert [one.spec.name for one in one.manager.records()["f1"].sessions] == ["wan"] and _names(one) == {
            "own",
            "f1",
        }
        engine.make(_TWO, {"f1", "link fbr"}, None)
        assert _names(one) == {"own", "f2"}
        assert engine.conditions({"f2"}).keys() == {"f2"}


def test_a_name_of_the_hosts_own_is_refused() -> None:
    with host() as one:
        _own(one)
        engine = HostEngine(one.manager)
        before = one.picture()
        with pytest.raises(ExistsError, match="this host's own"):
            engine.refuse_taken(frozenset({"own"}), ())
        with pytest.raises(ExistsError, match="this host's own"):
            engine.make(_TWO.replace("f2", "own"), frozenset(), None)
        with pytest.raises(ConflictError):
            engine.make(_TWO.replace("id = 12", "id = 99"), frozenset(), None)  # an id of the host's own
        assert one.picture() == before


def test_what_waits_is_kept_or_undone_by_its_mark_alone() -> None:
    with host() as one:
        engine = HostEngine(one.manager)
        mark = engine.make(_ONE, frozenset(), 60.0)
        assert mark is not None and engine.waits(mark) and not engine.waits("another")
        assert not engine.keep("another") and not engine.go_back("another")
        assert engine.go_back(mark) and _names(one) == set()
        mark = engine.make(_ONE, frozenset(), 60.0)
        assert mark is not None and engine.keep(mark) and not engine.waits(mark)
        assert engine.make(_ONE, {"f1"}, 60.0) is None  # nothing differs, so nothing waits


def test_a_file_of_the_fleet_names_no_file_of_the_host() -> None:
    with host() as one, pytest.raises(InvalidValueError):
        HostEngine(one.manager).names(_ONE + 'tx-cookie = "@/etc/shadow"\n')
