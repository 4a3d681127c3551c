"""The words of a session's probe: what they may be, and that a change of them touches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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


@pytest.mark.parametrize(
    ("words", "remedy"),
    [({"probe": "bfd"}, "bfd:ADDR"), ({"probe": "bfd:fe80::1%eth0"}, "bfd:fe80::1"),
     ({"probe": "icmp:"}, "icmp:ADDR"), ({"probe": "icmp"}, "icmp:ADDR"),
     ({"probe": "icmp:siteb.example.net"}, "getent"), ({"probe": "icmp:224.0.0.1"}, "unicast"),
     ({"probe": "icmp:0.0.0.0"}, "unicast"), ({"probe": "icmp:fe80::1%eth0"}, "icmp:fe80::1"),
     ({"on-dead": "carrier-pigeon"}, "hook:NAME"), ({"on-dead": "hook:"}, "hook:NAME"),
     ({"on-dead": "hook"}, "hook:NAME"),
     ({"on-dead": "hook:../../bin/sh"}, "without its folder"), ({"on-dead": "hook:sh -c id"}, "hook:NAME"),
     ({"probe-interval-ms": "99"}, "100 to 60000"), ({"probe-multiplier": 0}, "1 to 255")],
)  # fmt: skip
def test_what_can_not_be_meant_is_refused_with_what_can(siteb: Host, words: dict[str, object], remedy: str) -> None:
    with pytest.raises(InvalidValueError) as wrong:
        siteb.manager.set_session("siteb", "lan", words)
    assert remedy in str(wrong.value)
    assert wrong.value.field == next(iter(words))
