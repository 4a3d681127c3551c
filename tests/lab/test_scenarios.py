"""Every scenario that ships, through the runner; and one that must fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from labrunner import load

from tests.lab.lab import LAB, SCENARIOS, lab, play

pytestmark = pytest.mark.root

_GUEST = ("bond", "etherchannel", "ipvlan", "lacp", "pppoe", "vlan")
_ELSEWHERE = ("iproute2-peer", "mixed", "demo", *_GUEST)


@pytest.mark.parametrize("name", [name for name in load.names() if name not in _ELSEWHERE])
def test_user_datapath(name: str) -> None:
    played = play(name, "--datapath", "user")
    assert played.status == 0, played.story
    assert played.document["ok"]
    assert len(played.document["steps"]) == played.document["steps_in_all"]


@pytest.mark.kernel_l2tp
@pytest.mark.timeout(600)  # on an emulated CPU that others use too
@pytest.mark.parametrize(
    ("name", "datapath"),
    [("iproute2-peer", "user"), ("mixed", "auto"), ("trunk", "kernel"), *((name, "kernel") for name in _GUEST)],
)
def test_on_kernel(name: str, datapath: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L2TPV3_LAB_PATIENCE", "6")
    played = play(name, "--datapath", datapath)
    assert played.status == 0, played.story


def test_wrong_cookie_fails_and_shows_why() -> None:
    played = play(str(SCENARIOS / "wrong-cookie"), "--datapath", "user")
    assert played.status == 1, played.story
    assert not played.document["ok"]
    assert [step["ok"] for step in played.document["steps"]] == [True, True, False]
    (look,) = played.document["after_failure"]
    assert look["ok"], played.story
    assert look["measured"]["sessions.0.counters.rx_cookie_discards"] >= 1
    assert "✗ wrong-cookie: 2 of 4 steps as expected" in played.story


def test_an_outage_is_measured_and_a_long_one_fails() -> None:
    played = play(str(SCENARIOS / "cut"), "--datapath", "user")
    assert played.status == 1, played.story
    read, harmless, cut = played.document["steps"]
    assert read["ok"] and harmless["ok"], played.story
    assert (harmless["measured"]["lost"], harmless["measured"]["longest_silence_s"]) == (0, 0)
    assert not cut["ok"]
    assert cut["measured"]["lost"] > 0
    assert cut["measured"]["longest_silence_s"] > 0.5
    assert cut["commands"][1] == "ip link set e0 down"
    assert "near# cat /dev/stdin <<'END'\n  far is 10.0.0.2, by user\n  END\n" in played.story


def test_demo_by_its_own_command() -> None:
    command = [sys.executable, str(LAB.with_name("demo")), "--json"]
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    for seen in ("l2tpctl tunnel add", "3 received", "lladdr", "Mbit/s", "ARP who has", "echo-request", "TX-PACKETS"):
        assert seen in done.stderr
    assert "\x1b[" not in done.stderr  # no colours into a pipe
    steps = json.loads(done.stdout)["steps"]
    (transfer,) = [step["measured"] for step in steps if "mbits" in step["measured"]]
    assert transfer["intact"]
    assert transfer["bytes"] == transfer["sent_bytes"] > 1_000_000
    assert transfer["mbits"] == pytest.approx(transfer["bytes"] * 8 / transfer["seconds"] / 1e6, rel=0.01)


def test_missing_need_is_said_plainly(tmp_path: Path) -> None:
    done = lab("qemu-peer", env={"PATH": str(tmp_path), "HOME": os.environ.get("HOME", "/")})
    assert done.returncode == 77
    assert done.stderr.startswith("lab: this machine lacks qemu:")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["no-such"], "no scenario 'no-such'"),
        (["demo", "--shell", "siteX"], "the hosts of demo are siteA, router, siteB"),
        ([], "which scenario?"),
        (["--clean", "lab-1"], "there is no run lab-1"),
        (["--enter", "lab-1-siteA"], "there is no host lab-1-siteA"),
    ],
)
def test_what_can_not_be_played(arguments: list[str], complaint: str) -> None:
    done = lab(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stdout == ""


def test_list_names_all() -> None:
    done = lab("--list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == load.names()
