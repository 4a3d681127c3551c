"""What is looked at before a link is made, on a host that changes meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from l2tpv3.errors import MissingError
from l2tpv3.links.preflight import check_over
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.status import NetdevState
from l2tpv3.netdev.netdevs import Netdevs
from tests.hosts import Host

pytestmark = pytest.mark.root


@pytest.mark.parametrize("then", ["link del n0", "link set n0 name other"])
def test_a_netdev_that_goes_or_is_renamed_between_two_dumps(
    netns: Callable[[str], Host], monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    host = netns("a")
    host.ip("link", "add", "n0", "type", "veth", "peer", "name", "w0")
    list_all = Netdevs.all

    def meanwhile(netdevs: Netdevs) -> list[NetdevState]:
        host.ip(*then.split())
        return list_all(netdevs)

    monkeypatch.setattr(Netdevs, "all", meanwhile)
    spec = LinkSpec.from_words({"name": "br", "type": "bridge", "over": ["n0"], "over-netns": host.netns})
    if "del" in then:
        with pytest.raises(MissingError, match="no netdev n0 to be over"):
            check_over(spec, {"n0": "n0"}, "a mark")
    else:
        check_over(spec, {"n0": "n0"}, "a mark")  # it is there; whether it still is when it is used is told then
