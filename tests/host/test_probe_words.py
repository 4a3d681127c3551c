"""The words of a session's probe: what they may be, and that a change of them touches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3.errors import InvalidValueError, UnavailableError
from l2tpv3.formats.peer import commands
from l2tpv3.model.spec import SessionSpec
from tests.host.test_fragment import host as of_three_datapaths
from tests.memory_host import Host, host


@pytest.fixture
def siteb() -> Iterator[Host]:
    with host() as found:
        found.manager.add_tunnel("siteb", {"remote": "127.0.0.2"})
        found.manager.add_session("siteb", "lan", {"ifname": "l2tpeth0", "mtu": 1400})
        yield found


def test_a_change_takes_no_step_and_is_in_the_log(siteb: Host) -> None:
    siteb.countdown.at = 1  # whatever touches the host fails
    words = {"probe": "icmp:2001:DB8::0:1", "probe-interval-ms": "100", "probe-multiplier": 3, "on-dead": "hook:page"}
    change = siteb.manager.set_session("siteb", "lan", words)
    spec = siteb.manager.session("siteb", "lan").spec
    assert (spec.probe, spec.probe_interval_ms, spec.probe_multiplier) == ("icmp:2001:db8::1", 100, 3)
    assert spec.on_dead == "hook:page"
    assert SessionSpec.from_words(spec.to_words()) == spec
    assert not change.recreated
    (entry,) = siteb.manager.audit(1)
    assert "probe none → icmp:2001:db8::1" in entry.what


def test_the_other_end_is_not_told_to_probe_what_this_end_does(siteb: Host) -> None:
    siteb.manager.set_session("siteb", "lan", {"probe": "icmp:10.9.0.2", "on-dead": "hook:page"})
    told = str(commands(siteb.manager.tunnel("siteb"), "l2tpctl"))
    assert "probe" not in told and "page" not in told


def test_a_hook_that_can_not_be_run_is_said(siteb: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L2TPV3_CONFIG_DIR", str(tmp_path))
    siteb.manager.set_session("siteb", "lan", {"on-dead": "hook:page"})
    assert "--probe icmp:ADDR` has it probed" in _hook_note(siteb)
    siteb.manager.set_session("siteb", "lan", {"probe": "icmp:10.9.0.2"})
    assert f"`install -D PROGRAM {tmp_path}/hooks/page` makes it" in _hook_note(siteb)
    (tmp_path / "hooks").mkdir(mode=0o755)
    (tmp_path / "hooks" / "page").write_bytes(b"")
    (tmp_path / "hooks" / "page").chmod(0o755)
    assert _hook_note(siteb) == ""


def _hook_note(host: Host) -> str:
    return " ".join(note for note in host.manager.session("siteb", "lan").notes if note.startswith("hook page"))


def test_the_other_end_is_told_to_take_part_in_bfd_between_the_two(siteb: Host) -> None:
    siteb.manager.set_session("siteb", "lan", {"probe": "bfd", "probe-interval-ms": "20", "on-dead": "hook:page"})
    told = str(commands(siteb.manager.tunnel("siteb"), "l2tpctl"))
    assert "--probe bfd --probe-interval-ms 20 --probe-multiplier 15" in told and "page" not in told


def test_the_kernel_can_not_and_a_tunnel_whose_datapath_is_open_gets_one_that_can(tmp_path: Path) -> None:
    manager = of_three_datapaths(tmp_path, "user")
    manager.add_tunnel("t", {"remote": "127.0.0.2", "datapath": "kernel"})
    with pytest.raises(UnavailableError, match="the kernel datapath can't do --probe bfd") as wrong:
        manager.add_session("t", "s", {"mtu": 1400, "probe": "bfd"})
    assert "--datapath user`; or use --probe bfd:ADDR" in wrong.value.remedy
    manager.add_tunnel("e", {"remote": "127.0.0.4", "datapath": "ebpf"})
    with pytest.raises(UnavailableError, match="the ebpf datapath can't do --on-dead carrier"):
        manager.add_session("e", "s", {"mtu": 1400, "probe": "bfd", "on-dead": "carrier"})
    manager.add_tunnel("u", {"remote": "127.0.0.3"})
    assert manager.tunnel("u").datapath == "kernel"
    manager.add_session("u", "s", {"mtu": 1400, "probe": "bfd"})
    assert manager.tunnel("u").datapath == "user"


@pytest.mark.parametrize(
    ("words", "remedy", "field"),
    [({"probe": "bfd", "sublayer": "none"}, "--probe bfd:ADDR", "probe"),
     ({"probe": "bfd:10.9.0.2", "probe-interval-ms": 50}, "give 100 or more, or use --probe bfd", "probe-interval-ms"),
     ({"probe": "icmp:10.9.0.2", "on-dead": "carrier"}, "use --probe bfd", "on-dead"),
     ({"on-dead": "carrier"}, "use --probe bfd", "on-dead"),
     ({"probe": "icmp:10.9.0.2", "probe-interval-ms": 99}, "give 100 or more", "probe-interval-ms")],
)  # fmt: skip
def test_what_can_not_be_meant_together_is_refused(
    siteb: Host, words: dict[str, object], remedy: str, field: str
) -> None:
    with pytest.raises(InvalidValueError) as wrong:
        siteb.manager.set_session("siteb", "lan", words)
    assert remedy in str(wrong.value) and wrong.value.field == field


@pytest.mark.parametrize(
    ("words", "remedy"),
    [({"probe": "bfd:"}, "bfd:ADDR"), ({"probe": "bfd:fe80::1%eth0"}, "bfd:fe80::1"),
     ({"probe": "icmp:"}, "icmp:ADDR"), ({"probe": "icmp"}, "icmp:ADDR"),
     ({"probe": "icmp:siteb.example.net"}, "getent"), ({"probe": "icmp:224.0.0.1"}, "unicast"),
     ({"probe": "icmp:0.0.0.0"}, "unicast"), ({"probe": "icmp:fe80::1%eth0"}, "icmp:fe80::1"),
     ({"on-dead": "carrier-pigeon"}, "hook:NAME"), ({"on-dead": "hook:"}, "hook:NAME"),
     ({"on-dead": "hook"}, "hook:NAME"),
     ({"on-dead": "hook:../../bin/sh"}, "without its folder"), ({"on-dead": "hook:sh -c id"}, "hook:NAME"),
     ({"probe-interval-ms": "4"}, "5 to 60000"), ({"probe-multiplier": 0}, "1 to 255")],
)  # fmt: skip
def test_what_can_not_be_meant_is_refused_with_what_can(siteb: Host, words: dict[str, object], remedy: str) -> None:
    with pytest.raises(InvalidValueError) as wrong:
        siteb.manager.set_session("siteb", "lan", words)
    assert remedy in str(wrong.value)
    assert wrong.value.field == next(iter(words))
