"""Loading modules, and saying why they can't be had."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from l2tpv3.datapath.kernel import KernelDatapath
from l2tpv3.errors import NotFoundError
from l2tpv3.linux import modules
from l2tpv3.model.spec import Encap
from tests.contract.bench import Bench, joined_hosts
from tests.waiting import eventually

MODULES = ("l2tp_ip6", "l2tp_ip", "l2tp_eth", "l2tp_netlink")
"""Those that hold others last."""


def test_a_module_that_does_not_exist_is_explained() -> None:
    problem = modules.load("l2tp_no_such_thing")
    assert "l2tp_no_such_thing" in problem
    assert "\n" not in problem
    assert platform.release() in problem or os.geteuid() != 0


def test_without_modprobe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(modules, "_PROGRAM_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no modprobe here" in modules.load("l2tp_no_such_thing")


@pytest.mark.parametrize("hangs", ["--use-blacklist", "--showconfig"])
def test_a_modprobe_that_hangs_is_ended_with_what_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hangs: str
) -> None:
    """As one does whose `install` line in modprobe.d runs a program that waits."""
    program, started = tmp_path / "modprobe", tmp_path / "started"
    sleeps = f"sleep 1000 & echo $! > {started}; wait"
    program.write_text(f"#!/bin/sh\nif [ $1 = {hangs} ]; then {sleeps}; fi\necho 'no luck' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(modules, "_MODPROBE_TIMEOUT_S", 0.5)
    began = time.monotonic()
    assert ("timed out" in modules.load("l2tp_no_such_thing")) is (hangs == "--use-blacklist")
    assert time.monotonic() - began < 60
    command = Path(f"/proc/{started.read_text().strip()}/cmdline")
    eventually(lambda: not command.exists() or not command.read_bytes())  # gone, or a zombie that nobody has reaped yet


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("modprobe: ERROR: could not insert 'x': Operation not permitted", "may not be loaded from here"),
        ("modprobe: ERROR: could not insert 'x': Key was rejected by service", "Key was rejected by service"),
        ("", "without a word"),
    ],
)
def test_what_modprobe_says_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stderr: str, words: str) -> None:
    program = tmp_path / "modprobe"
    program.write_text(f'#!/bin/sh\n[ $1 = --showconfig ] && exit 0\necho "{stderr}" >&2; exit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(modules, "_MODULE_TREE", tmp_path)
    (tmp_path / platform.release()).mkdir()
    assert words in modules.load("x")


@pytest.mark.parametrize("rule", ["blacklist l2tp_no_such_thing", "install l2tp_no_such_thing /bin/false"])
def test_a_module_that_is_switched_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rule: str) -> None:
    file = tmp_path / "off.conf"
    file.write_text(f"# hardening\n{rule}\n")
    monkeypatch.setenv("MODPROBE_OPTIONS", f"--config {tmp_path}")
    monkeypatch.setattr(modules, "_CONFIGURATION", (tmp_path,))
    problem = modules.load("l2tp_no_such_thing")
    assert f"switched off in {file} ({rule!r})" in problem
    remedy = "`modprobe l2tp_no_such_thing` loads it all the same"
    if rule.startswith("install"):  # modprobe runs what the line says, however often it is called
        remedy = "take that line out, then `modprobe l2tp_no_such_thing` loads it"
    assert problem.endswith(remedy)


@pytest.mark.root
def test_pyroute2_is_not_imported() -> None:
    """Importing it takes longer than making a hundred sessions."""
    program = (
        "import sys; from l2tpv3.datapath.kernel import KernelDatapath;"
        " KernelDatapath().probe(), KernelDatapath().tunnels(None); print('pyroute2' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"


@pytest.mark.root
@pytest.mark.kernel_l2tp
@pytest.mark.unloads_modules
class TestUnloaded:
    """With the modules taken out of the kernel before each test; they are back afterwards."""

    @pytest.fixture(autouse=True)
    def _unloaded(self) -> object:
        if any(KernelDatapath().tunnels(None)):
            pytest.skip("the kernel's L2TP is in use here")
        eventually(self._unload)  # namespaces that the last test removed hold them for a while
        yield
        subprocess.run(["modprobe", "-a", *MODULES], check=True)

    def _unload(self) -> bool:
        remove = ["modprobe", "-r", *(name for name in MODULES if modules.loaded(name))]
        return subprocess.run(remove, check=False, capture_output=True).returncode == 0

    def test_probe_loads_what_is_needed(self) -> None:
        assert not modules.loaded("l2tp_eth")
        assert KernelDatapath().probe().works
        assert modules.loaded("l2tp_eth")

    def test_probe_tells_a_missing_l2tp_eth(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "off.conf").write_text("blacklist l2tp_eth\n")
        monkeypatch.setenv("MODPROBE_OPTIONS", f"--config {tmp_path}")
        support = KernelDatapath().probe()
        assert not support.works
        assert "'blacklist l2tp_eth'" in support.reason
        assert modules.loaded("l2tp_netlink")

    def test_looking_loads_nothing(self) -> None:
        assert KernelDatapath().tunnels(None) == []
        assert not modules.loaded("l2tp_netlink")

    @pytest.mark.parametrize("encap", Encap)
    @pytest.mark.parametrize("version", [4, 6])
    def test_adding_loads_what_is_needed(self, encap: Encap, version: int) -> None:
        with joined_hosts() as (near, far):
            bench = Bench(KernelDatapath(), near.netns, far.netns, real=True, another=KernelDatapath)
            tunnel = bench.tunnel(encap=encap, version=version)
            with pytest.raises(NotFoundError):
                bench.datapath.del_tunnel(tunnel)
            bench.datapath.add_tunnel(tunnel)
            bench.datapath.add_session(tunnel, bench.session())
            bench.datapath.del_tunnel(tunnel)
