"""`l2tpctl ping`: frames through a pseudowire between two hosts, a real sshd at one of them."""

from __future__ import annotations

import json

import jsonschema
import pytest

from l2tpv3.connect.frames import Echo
from l2tpv3.connect.latency import Latency, summed_up
from l2tpv3.documents.schemas import PING_SCHEMA, json_schema
from tests.hosts import Host
from tests.sshd import L2TPCTL, Sshd


def test_what_echoes_come_to() -> None:
    echoes = [Echo(2, 60, 0.004), Echo(1, 60, 0.001), Echo(3, 60, None), Echo(1, 1452, None), Echo(4, 60, 0.002)]
    small, full = summed_up(echoes)
    assert (small.length, small.sent, small.answered, small.least_s, small.most_s) == (60, 4, 3, 0.001, 0.004)
    assert small.jitter_s == pytest.approx(0.0025) and small.mean_s == pytest.approx(0.007 / 3)
    assert full == Latency(length=1452, sent=1, answered=0)


def _ping(near: Host, sshd: Sshd, *words: str) -> tuple[int, str, str]:
    ssh = sshd.environment["L2TPV3_SSH"]
    done = near.run(["env", f"L2TPV3_SSH={ssh}", L2TPCTL, *words], check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.root
def test_frames_there_and_back(pair: tuple[Host, Host], sshd: Sshd) -> None:
    a, b = pair
    for host, other, name in ((a, b, "siteb"), (b, a, "sitea")):
        host.ctl("tunnel", "add", name, "--remote", other.v4, "--datapath", "user")
        cookies = ["--tx-cookie", "none", "--rx-cookie", "none"]
        host.ctl("session", "add", name, "lan", *cookies)
    line = ["ping", "siteb/lan", "--peer", "sitea/lan", "--count", "3", "--interval", "0.02"]
    code, out, err = _ping(a, sshd, *line, "--host", sshd.url)
    assert code == 0, err
    small, full = out.splitlines()
    assert small.startswith("siteb/lan: 3 frames of 60 bytes, 0% lost, ") and "jitter" in small
    assert full.startswith("siteb/lan: 3 frames of 1460 bytes, 0% lost, ")
    b.ip("link", "set", "u0", "mtu", "1400")  # what is longer is lost on the way
    code, out, err = _ping(a, sshd, *line, "--host", sshd.url, "--json")
    document = json.loads(out)
    jsonschema.validate(document, json_schema(PING_SCHEMA))
    assert (code, [one["answered"] for one in document["frames"]]) == (11, [3, 0]), err
    b.ip("link", "set", "u0", "mtu", "1500")
    for words, status in ((line, 1), (["ping", "siteb"], 1), (["ping", "siteb/nope", "--host", sshd.url], 3)):
        assert _ping(a, sshd, *words)[0] == status, words
