"""`--serve`: dashboards of the demo's sites, until Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.lab.lab import LAB, leftovers
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

_DEMO = LAB.with_name("demo")


@pytest.fixture
def demo() -> Iterator[subprocess.Popen[str]]:
    """The demo, being served; its pid names its run."""
    command = [sys.executable, str(_DEMO), "--serve", "--datapath", "user"]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate()
        assert leftovers(process.pid) == []


def _links(process: subprocess.Popen[str]) -> dict[str, tuple[str, str]]:
    """Each site's URL and token, once they are printed."""
    assert process.stdout is not None
    found: dict[str, tuple[str, str]] = {}
    said = ""
    for line in process.stdout:
        said += line
        if match := re.match(r"\s+(site[AB])\s+(http://127\.0\.0\.1:\d+/)#token=(\S+)", line):
            found[match[1]] = match[2], match[3]
        if len(found) == 2:
            return found
    raise AssertionError(said)


def _tunnels(url: str, token: str) -> list[dict[str, object]]:
    request = urllib.request.Request(f"{url}v1/tunnels", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        found: list[dict[str, object]] = json.load(answer)["tunnels"]
    return found


def test_both_sites_until_ctrl_c(demo: subprocess.Popen[str]) -> None:
    links = _links(demo)
    ends = {}
    for site, (url, token) in links.items():
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as page:
            assert b"<title>l2tpv3</title>" in page.read()
        [tunnel] = _tunnels(url, token)
        assert (tunnel["name"], tunnel["condition"]) == ("a-b", "up")
        ends[site] = tunnel["local"], tunnel["remote"]
    assert ends["siteA"] == ends["siteB"][::-1]
    with pytest.raises(urllib.error.HTTPError, match="401"):  # each is a host of its own, with tokens of its own
        _tunnels(links["siteA"][0], links["siteB"][1])
    os.kill(demo.pid, signal.SIGINT)
    said, _ = demo.communicate(timeout=PATIENCE_S)
    assert demo.returncode == 0, said
    assert "nothing of it is left" in said
