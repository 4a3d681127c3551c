"""What is chosen where words say nothing; and that the quick look spares no session that would change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.datapath.base import Datapath, Support
from l2tpv3.errors import UnavailableError
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.spec import IPAddress, SessionSpec, TunnelSpec
from l2tpv3.resolve import allocate
from l2tpv3.testing.datapath import MemoryDatapath
from tests.properties import MANY
from tests.reconcile.test_plan import session_words


def no_lookup(name: str, local: IPAddress | None) -> IPAddress:
    """In place of what looks up a peer's name, where none is given."""
    raise AssertionError(f"{name} is looked up")


def _settle(words: dict[str, Any], old: SessionSpec | None) -> SessionSpec:
    return allocate.resolve_session("x", words, old, lambda: 1, lambda _: "l2tpeth0")


@MANY
@given(session_words, session_words, st.booleans())
def test_what_is_settled_stays_what_it_is(before: dict[str, Any], words: dict[str, Any], again: bool) -> None:  # noqa: FBT001
    old = _settle(before, None)
    given_words = before if again else words
    if allocate.is_settled(given_words, old):
        assert _settle(given_words, old) == old


@MANY
@given(session_words)
def test_a_session_as_it_was_asked_for_is_settled(words: dict[str, Any]) -> None:
    words = {**words, "mtu": 1400}  # None on record is "auto" in words: that takes the longer way
    assert allocate.is_settled(words, _settle(words, None))


class Named(MemoryDatapath):
    """A datapath of any name, that counts how often it was asked whether it works."""

    def __init__(self, name: str, *, works: bool) -> None:
        super().__init__()
        self.name, self.works, self.probed = name, works, 0

    def probe(self) -> Support:
        self.probed += 1
        return Support(works=self.works, reason=f"{self.name} was asked")


def _settled(**words: Any) -> TunnelSpec:
    return allocate.resolve_tunnel("t", words, None, lambda _: 1, lambda _: 51820, no_lookup)


def test_auto_never_chooses_the_ebpf_datapath_nor_asks_whether_it_works() -> None:
    ebpf = Named("ebpf", works=True)
    datapaths: dict[str, Datapath] = {"kernel": Named("kernel", works=False), "ebpf": ebpf}
    with pytest.raises(UnavailableError, match="no kernel datapath"):
        allocate.choose_datapath(_settled(remote="192.0.2.1"), datapaths)
    datapaths["user"] = Named("user", works=True)
    assert allocate.choose_datapath(_settled(remote="192.0.2.1"), datapaths)[0].name == "user"
    assert ebpf.probed == 0
    asked = allocate.choose_datapath(_settled(remote="192.0.2.1", datapath="ebpf"), datapaths)
    assert (asked, ebpf.probed) == ((ebpf, "as asked"), 1)


@pytest.mark.parametrize(
    ("words", "checksum"),
    [
        ({"remote": "192.0.2.1"}, True),
        ({"remote": "192.0.2.1", "datapath": "user"}, True),
        ({"remote": "192.0.2.1", "datapath": "ebpf"}, False),
        ({"remote": "2001:db8::1", "datapath": "ebpf"}, True),
        ({"remote": "192.0.2.1", "datapath": "ebpf", "udp-checksum": "on"}, True),
        ({"remote": "2001:db8::1", "datapath": "ebpf", "udp-checksum": "off"}, False),
        ({"remote": "192.0.2.1", "datapath": "user", "udp-checksum": "off"}, False),
    ],
)
def test_udp_checksums_that_nothing_is_said_of(words: dict[str, Any], checksum: bool) -> None:  # noqa: FBT001
    spec = _settled(**words)
    assert spec.udp_checksum is checksum
    stated = DesiredTunnel.from_specs(spec)
    assert _settled(**stated.words) == spec, "what is exported gives the same again"
    assert ("udp-checksum" in stated.words) is ("udp-checksum" in words), "a default is not stated"
