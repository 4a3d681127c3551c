"""`l2tpctl restore --wait`, `tunnel add --transient` and `import`, as typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine, predictable


def test_the_command_waits_and_says_so(siteb: CommandLine) -> None:
    siteb.datapath.del_tunnel(siteb.manager.tunnel("siteb").spec)
    assert siteb.ok("restore --wait 60").err == "tunnel siteb: restored\n"
    for wrong in ("x", "-1", "1e9"):
        assert siteb("restore", f"--wait={wrong}").code == 1


def test_transient(ctl: CommandLine) -> None:
    ctl.ok("tunnel add siteb --remote 127.0.0.2 --transient")
    assert ctl.ok("tunnel show siteb --json").json["tunnels"][0]["transient"] is True
    assert "transient: yes" in " ".join(ctl.ok("tunnel show siteb").out.replace("transient ", "transient: ").split())
    ctl.ok("tunnel add sitec --remote 127.0.0.3 --local-port 5")
    assert ctl.ok("tunnel show sitec --json").json["tunnels"][0]["transient"] is False
    assert "transient" not in ctl.ok("tunnel show sitec").out
    assert ctl.manager.records()["sitec"].boot is None
    ctl.ok("session add siteb lan")
    assert ctl.manager.records()["siteb"].boot is not None, "and stays so when it changes"


def test_a_file_makes_a_transient_tunnel_last(ctl: CommandLine, tmp_path: Path) -> None:
    ctl.ok("tunnel add siteb --remote 127.0.0.2 --transient")
    (tmp_path / "siteb.toml").write_text('[tunnel.siteb]\nremote = "127.0.0.2"\n')
    ctl.ok(f"apply -f {tmp_path / 'siteb.toml'}")
    assert ctl.manager.records()["siteb"].boot is None


def test_import_prints_a_file_that_apply_takes(ctl: CommandLine, tmp_path: Path) -> None:
    script = tmp_path / "tunnels.sh"
    script.write_text(
        "ip l2tp add tunnel tunnel_id 7 peer_tunnel_id 8 local 127.0.0.1 remote 127.0.0.2 udp_sport 5000 udp_dport 6\n"
        "ip l2tp add session tunnel_id 7 session_id 70 peer_session_id 80 name lan0 cookie 0123456789abcdef\n"
    )
    done = ctl.ok(f"import --from iproute2 {script}")
    (tmp_path / "made.toml").write_text(done.out)
    ctl.ok(f"apply -f {tmp_path / 'made.toml'}")
    (record,) = ctl.manager.records().values()
    assert (record.spec.tunnel_id, record.spec.peer_tunnel_id, record.spec.local_port) == (7, 8, 5000)
    assert [one.spec.ifname for one in record.sessions] == ["lan0"]
    assert ctl(f"import --from nonsense {script}").code == 1
    assert ctl(f"import --from iproute2 {tmp_path / 'absent'}").code == 1


def test_one_that_waits_holds_up_no_other(siteb: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for is told at once; when the time is up it is the error, and the others are there."""
    siteb.ok("tunnel add sitec --remote 127.0.0.3 --local-port 5000")
    siteb.ok("session add sitec dmz --bridge br0")
    siteb.ok("down")
    placer = siteb.placer
    monkeypatch.setattr(placer, "_bridges", frozenset())
    result = siteb("restore --wait 0.3")
    lines = result.err.splitlines()
    assert result.code == 3
    assert sorted(lines[:-1])[-1].startswith("tunnel sitec: waiting: session sitec/dmz: no bridge br0")
    assert "tunnel siteb: restored" in lines and lines[-1].startswith("l2tpctl: session sitec/dmz: no bridge br0")
    assert siteb("restore sitec").code == 3
    monkeypatch.undo()
    predictable(monkeypatch)
    assert siteb.ok("restore --wait 60").err == "tunnel sitec: restored\n"
