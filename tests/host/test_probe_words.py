"""The words of a session's probe: what they may be, and that a change of them touches nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.peer import commands
from l2tpv3.model.spec import SessionSpec
from tests.memory_host import Host, host


@pytest.fixture
def siteb() -> Iterator[Host]:
    with host() as found:
        found.manager.add_tunnel("siteb", {"remote": "127.0.0.2"})
        found.manager.add_session("siteb", "lan", {"ifname": "l2tpeth0", "mtu": 1400})
        yield found


def test_a_change_takes_no_step_and_is_in_the_log(siteb: Host) -> None:
    siteb.countdown.at = 1  # whatever touches the host fails
    words = {"probe": "icmp:2001:DB8::0:1", "probe-interval-ms": "100", "probe-multiplier": 3}
    change = siteb.manager.set_session("siteb", "lan", words)
    spec = siteb.manager.session("siteb", "lan").spec
    assert (spec.probe, spec.probe_interval_ms, spec.probe_multiplier) == ("icmp:2001:db8::1", 100, 3)
    assert SessionSpec.from_words(spec.to_words()) == spec
    assert not change.recreated
    (entry,) = siteb.manager.audit(1)
    assert "probe none → icmp:2001:db8::1" in entry.what


def test_the_other_end_is_not_told_to_probe_what_this_end_does(siteb: Host) -> None:
    siteb.manager.set_session("siteb", "lan", {"probe": "icmp:10.9.0.2"})
    assert "probe" not in str(commands(siteb.manager.tunnel("siteb"), "l2tpctl"))


@pytest.mark.parametrize(
    ("words", "remedy"),
    [({"probe": "bfd"}, "icmp:ADDR"), ({"probe": "icmp:"}, "icmp:ADDR"), ({"probe": "icmp"}, "icmp:ADDR"),
     ({"probe": "icmp:siteb.example.net"}, "getent"), ({"probe": "icmp:224.0.0.1"}, "unicast"),
     ({"probe": "icmp:0.0.0.0"}, "unicast"), ({"probe": "icmp:fe80::1%eth0"}, "icmp:fe80::1"),
     ({"probe-interval-ms": "99"}, "100 to 60000"), ({"probe-multiplier": 0}, "1 to 255")],
)  # fmt: skip
def test_what_can_not_be_meant_is_refused_with_what_can(siteb: Host, words: dict[str, object], remedy: str) -> None:
    with pytest.raises(InvalidValueError) as wrong:
        siteb.manager.set_session("siteb", "lan", words)
    assert remedy in str(wrong.value)
    assert wrong.value.field == next(iter(words))
