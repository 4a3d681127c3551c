"""What is typed at an end without this program: `ip` and `wg`, with the kernel's WireGuard or wireguard-go there."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.hosts import Host
from tests.waiting import eventually

pytestmark = [pytest.mark.root, pytest.mark.kernel_l2tp, pytest.mark.timeout(300)]

PRIVATE = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="


@pytest.mark.parametrize("there", ["kernel", "wireguard-go"])
def test_frames_pass_to_an_end_that_was_typed(
    underlay: tuple[Host, Host], there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = underlay
    monkeypatch.chdir(tmp_path)
    Path("wireguard.key").write_text(PRIVATE)
    public = a.run(["wg", "pubkey"], stdin=PRIVATE).stdout.strip()
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--encrypt", "wireguard", "--peer-public-key", public)
    a.ctl("session", "add", "t", "s", "--ifname", "l2s", "--address", "10.9.0.1/24")
    lines = [shlex.split(line) for line in a.ctl("peer", "t", "--as", "iproute2").stdout.splitlines()]
    for line in lines:
        if there == "wireguard-go" and line[-2:] == ["type", "wireguard"]:
            monkeypatch.setenv("WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD", "1")
            b.start(["wireguard-go", "--foreground", line[3]])
            eventually(Path("/run/wireguard/wg-l2tp.sock").exists)
            line = ["ip", "link", "set", line[3], *line[4:6]]
        b.run(line)
    b.ip("address", "add", "10.9.0.2/24", "dev", "l2s")
    assert any(a.ping("10.9.0.2", check=False) for _ in range(20))
    assert a.ping("10.9.0.2", "-s", "1330", "-M", "do", count=2)
    kind = b.ip("-d", "link", "show", "wg-l2tp")
    assert ("wireguard" if there == "kernel" else "tun type tun") in kind
    assert "wireguard, netdev" in a.ctl("tunnel", "show", "t").stdout  # the kernel's, here
