"""The systemd units that ship: how much they expose, and that what they run exists.

Nothing here runs systemd: tests/lab/test_systemd.py does."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "systemd").glob("*.service"))
SOCKET = ROOT / "systemd" / "l2tpv3-api.socket"
_NEEDS = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def test_there_are_units() -> None:
    assert [unit.name for unit in UNITS] == [f"l2tpv3-{name}.service" for name in ("api", "restore", "watch")]


@_NEEDS
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_exposes_little(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", unit],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@_NEEDS
@pytest.mark.parametrize("drop_in", ["l2tpv3-netns.conf", "l2tpv3-cards.conf", "l2tpv3-ebpf.conf"])
def test_it_exposes_little_with_a_drop_in(tmp_path: Path, drop_in: str) -> None:
    unit = tmp_path / "l2tpv3-watch.service"  # offline, systemd 252 does not look for drop-ins
    unit.write_text((ROOT / "systemd" / unit.name).read_text() + (ROOT / "systemd" / drop_in).read_text())
    test_a_unit_exposes_little(unit)


@_NEEDS
@pytest.mark.parametrize("unit", [*UNITS, SOCKET], ids=lambda unit: unit.name)
def test_systemd_takes_every_line_of_a_unit(tmp_path: Path, unit: Path) -> None:
    for one in (*UNITS, SOCKET):
        text = one.read_text()
        # what is installed is not what is looked at here
        text = re.sub(r"^ExecStart=l2tpctl .*$", "ExecStart=/bin/true", text, flags=re.MULTILINE)
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
        (tmp_path / one.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / unit.name], check=False, capture_output=True, text=True
    )
    assert unit.name not in done.stderr, done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_a_command_that_there_is(unit: Path) -> None:

    from l2tpv3.cli.app import command

    (line,) = re.findall(r"^ExecStart=l2tpctl (.*)$", unit.read_text(), re.MULTILINE)
    name, *options = line.split()
    words = [word for word in options if word.startswith("-")]
    known = command().get_command(None, name)
    assert known is not None
    assert set(words) <= {spelling for param in known.params for spelling in param.opts}


def test_stopping_a_unit_leaves_workers_alone() -> None:
    for unit in UNITS:
        text = unit.read_text()
        assert "\nKillMode=process\n" in text
        assert "\nRuntimeDirectoryPreserve=yes\n" in text
        assert "ExecStop" not in text


def test_the_units_have_one_sandbox() -> None:
    capture = ("# AF_PACKET is for captures.\n", " AF_PACKET")
    sandboxes = set()
    for unit in UNITS:
        sandbox = unit.read_text().partition("# What pseudowires need")[2].partition("[Install]")[0]
        for more in capture if unit.name == "l2tpv3-api.service" else ():
            sandbox = sandbox.replace(more, "")
        sandboxes.add(sandbox)
    assert len(sandboxes) == 1 and "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW\n" in sandboxes.pop()


def test_units_and_man_pages_are_installed(tmp_path: Path) -> None:
    import contextlib

    import hatchling.build

    with contextlib.chdir(ROOT):
        wheel = tmp_path / hatchling.build.build_wheel(str(tmp_path))
    names = {name.partition(".data/data/")[2] for name in zipfile.ZipFile(wheel).namelist()}
    expected = {f"lib/systemd/system/{unit.name}" for unit in UNITS}
    expected |= {f"lib/systemd/system/{SOCKET.name}"}
    expected |= {f"share/doc/l2tpv3/l2tpv3-{name}.conf" for name in ("netns", "cards", "ebpf")}
    expected |= {"share/man/man8/l2tpctl.8", "share/man/man5/l2tpv3.toml.5", "lib/sysusers.d/l2tpv3.conf"}
    assert expected <= names
