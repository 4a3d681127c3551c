"""Which address a peer's name gives a tunnel, and what becomes of the words that say it."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path

import pytest

from l2tpv3.errors import InvalidValueError, MissingError
from l2tpv3.linux.name_lookup import LookupFailedError, look_up, look_up_within
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.spec import IPAddress, TunnelSpec
from l2tpv3.resolve import allocate
from l2tpv3.resolve.peer_names import PeerNames
from l2tpv3.store import kept, names
from l2tpv3.store.names import NameAnswer

V4, OTHER, V6 = (ip_address(text) for text in ("192.0.2.1", "192.0.2.2", "2001:db8::1"))


def test_the_address_that_a_tunnel_has_stays_as_long_as_it_is_one_of_the_names() -> None:
    answer = NameAnswer((OTHER, V4, V6))
    assert answer.address(None, None) == OTHER, "the resolver's order"
    assert answer.address(V4, None) == V4, "names are told in turns"
    assert answer.address(V4, 6) == V6, "of the family of the local address"
    assert NameAnswer((V6,)).address(V4, 4) is None
    assert NameAnswer((), "why").address(V4, None) is None


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    return tmp_path


def test_a_change_takes_what_watch_has_found(runtime: Path) -> None:
    names.keep(runtime, {"x.test": NameAnswer((V4, V6)), "gone.test": NameAnswer((), "no such name")}, good_for_s=60)
    known = PeerNames(runtime)
    spec = TunnelSpec(name="t", remote=OTHER, remote_name="x.test")
    assert known.present(spec) == V4 and known.first_address("t", "x.test", V6) == V6
    assert known.present(TunnelSpec(name="t", remote=OTHER, remote_name="gone.test")) == OTHER, "nothing changes"
    with pytest.raises(MissingError, match=r"tunnel t: --remote: gone.test has no address: no such name; `getent"):
        known.first_address("t", "gone.test", None)
    names.keep(runtime, {"four.test": NameAnswer((V4,))}, good_for_s=60)
    with pytest.raises(MissingError, match=r"four.test has no IPv6 address, which --local 2001:db8::1 needs"):
        PeerNames(runtime).first_address("t", "four.test", V6)


def test_what_the_file_of_answers_says_is_checked(runtime: Path) -> None:
    kept.write(runtime, names.FILE, {"a": [["x"], ""], "b": 1, "c": [["192.0.2.1"], 5]}, good_for_s=60)
    assert names.read(runtime, 0.0) == {"c": NameAnswer((V4,), "5")}


def test_a_name_is_looked_up_as_the_host_does() -> None:
    assert set(look_up("localhost")) & {ip_address("127.0.0.1"), ip_address("::1")}
    assert look_up_within("localhost", 60.0)
    for wrong in ("x" * 64 + ".test", "0.0.0.0", "224.0.0.1", "::ffff:192.0.2.1", "fe80::1"):
        with pytest.raises(LookupFailedError):
            look_up(wrong)


def _resolved(words: dict[str, object], old: TunnelSpec | None, *known: IPAddress) -> TunnelSpec:
    answer = NameAnswer(known)

    def address_of(name: str, local: IPAddress | None) -> IPAddress:
        found = answer.address(None, local.version if local is not None else None)
        assert found is not None, f"{name} is looked up"
        return found

    return allocate.resolve_tunnel("t", words, old, lambda _: 1, lambda _: 1, address_of)


def test_a_name_is_kept_beside_its_address_and_a_file_says_the_name_alone() -> None:
    spec = _resolved({"remote": "x.test"}, None, V4, V6)
    assert (spec.remote_name, spec.remote) == ("x.test", V4)
    assert TunnelSpec.from_words(spec.to_words()) == spec
    stated = DesiredTunnel.from_specs(spec).words
    assert stated["remote"] == "x.test" and "remote-name" not in stated
    assert _resolved(dict(stated), spec) == spec, "what is on record is not looked up"
    assert _resolved({**stated, "local": "2001:db8::9"}, spec, V4, V6).remote == V6, "another family"
    assert _resolved({"remote": "192.0.2.2"}, spec).remote_name is None
    for wrong in ("-x", "x y", "x/y", "10.0.0.300", os.sep):
        with pytest.raises(InvalidValueError):
            _resolved({"remote": "192.0.2.1", "remote-name": wrong}, None)
