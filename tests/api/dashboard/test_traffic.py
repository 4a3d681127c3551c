"""The dashboard with real tunnels: two hosts, the user datapath, a lab's traffic, and a cookie that is broken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from labrunner.serve import Served, serve

from tests.api.dashboard.browser import DESKTOP, PHONE, Browser
from tests.hosts import Host
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

_TRAFFIC = Path(__file__).resolve().parents[3] / "netns-lab" / "labrunner" / "traffic.py"
_TX, _RX = "00112233445566aa", "8899aabbccddee55"


@pytest.fixture
def served(underlay: tuple[Host, Host]) -> Iterator[Served]:
    """The service of host a, reached from here."""
    a, _ = underlay
    one = serve("a", ["ip", "netns", "exec", a.netns], a.environment, a.folder / "service.log")
    try:
        yield one
    finally:
        one.process.terminate()
        one.process.wait(PATIENCE_S)


def _number(browser: Browser, selector: str) -> float:
    """A number with its SI prefix, as the page shows it; 0 where there is none."""
    value, _, unit = browser.text(selector).replace(",", "").partition(" ")
    try:
        return float(value) * {"k": 1e3, "M": 1e6, "G": 1e9}.get(unit[:1], 1.0)
    except ValueError:
        return 0.0


def _drawn(browser: Browser) -> str:
    """A plot's picture."""
    return str(browser.js("return document.querySelector('.plot canvas')?.toDataURL() ?? ''"))


def test_from_the_first_tunnel_to_the_last(browser: Browser, served: Served, underlay: tuple[Host, Host]) -> None:
    a, b = underlay
    browser.open(served.url, token=served.token)
    browser.click("button", "Add tunnel")
    browser.fill(name="b", remote=b.v4)
    browser.click("dialog summary", "More")
    browser.fill(datapath="user")
    browser.click("dialog button[type=submit]")
    browser.wait_text("h1", "b")
    browser.click("button", "Add session")
    browser.fill(name="lan", address="10.9.0.1/24")
    browser.click("dialog summary", "More")
    browser.fill(tx_cookie=_TX, rx_cookie=_RX)
    browser.click("dialog button[type=submit]")
    browser.wait_text("h1", "b/lan")
    browser.wait_text("h1 .state", "hears nothing")  # as there is no other end yet
    browser.wait_text("main", "“Peer configuration”")
    b.ctl("tunnel", "add", "a", "--remote", a.v4, "--datapath", "user")
    words = ["--tx-cookie", _RX, "--rx-cookie", _TX, "--address", "10.9.0.2/24"]
    b.ctl("session", "add", "a", "lan", *words)
    assert a.ping("10.9.0.2", count=2)
    browser.wait_text("h1 .state", "up")

    # Traffic from both ends moves the plots.
    browser.until(lambda: _drawn(browser), "a plot")
    before = _drawn(browser)
    a.start([sys.executable, _TRAFFIC, "10.9.0.2", "5"])
    b.start([sys.executable, _TRAFFIC, "10.9.0.1", "5"])
    for line in ("rx", "tx"):
        browser.until(lambda line=line: _number(browser, f".legend.{line} b") > 200e3, f"traffic, {line}")
    browser.until(lambda: _drawn(browser) != before, "the plot to move")
    assert browser.text("tr[data-counter=rx_cookie_discards] td") == "0"

    # One end is told another cookie: its packets are refused here, and the page says so, with the reason.
    b.ctl("session", "set", "a", "lan", "--tx-cookie", "ffffffffffffffff")
    browser.wait_text("h1 .state", "trouble")
    browser.wait_text(".advice", "another cookie than this end expects")
    browser.until(lambda: _number(browser, "tr[data-counter=rx_cookie_discards] td") > 0, "discards")
    browser.go("#/")
    browser.wait_text("[data-trouble=rx_cookie_discards]", "wrong cookie")
    assert browser.shown(".chip.trouble")
    browser.click("button", "Find out why")
    browser.wait_text("[data-finding=nothing-accepted]", "sends another cookie")
    browser.wait_text("[data-finding=nothing-accepted]", "l2tpctl peer b")
    assert browser.faults() == []
    assert _TX not in browser.js("return document.documentElement.outerHTML")

    # The worker dies: it is told at once, and restored from the page. What was wrong before is none of the new one's.
    b.ctl("session", "set", "a", "lan", "--tx-cookie", _RX)
    [worker] = [int(pid) for pid in browser.js(
        "return fetch('v1/tunnels/b', {headers: {Authorization: 'Bearer ' + sessionStorage['l2tpv3-token']}})"
        ".then((r) => r.json()).then((t) => [t.worker_pid])"
    )]  # fmt: skip
    a.run(["kill", "-9", str(worker)])
    browser.wait_text(".events", "died")
    browser.wait_for("[data-trouble=missing]")
    browser.go("#/host")
    browser.click("button", "Restore")
    browser.click("dialog button[type=submit]", "Restore")
    browser.wait_text("#notices", "Everything on record is running")
    browser.go("#/tunnel/b")
    browser.wait_text("h1 .state", "up")

    # And away with it.
    browser.click("button", "Remove")
    browser.fill(typed="b")
    browser.click("dialog button[type=submit]", "Remove")
    browser.wait_text("h1", "Tunnels")
    browser.wait_text(".view", "No tunnels yet")
    assert "l2tpeth" not in a.ip("-br", "link")


def test_a_capture_is_downloaded(browser: Browser, served: Served, underlay: tuple[Host, Host], tmp_path: Path) -> None:
    a, b = underlay
    for host, far, own in ((a, b, "10.9.0.1/24"), (b, a, "10.9.0.2/24")):
        host.ctl("tunnel", "add", "t", "--remote", far.v4, "--datapath", "user")
        host.ctl("session", "add", "t", "s", "--tx-cookie", "none", "--rx-cookie", "none", "--address", own)
    browser.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path), "eventsEnabled": False}
    )
    browser.open(f"{served.url}#/session/t/s", token=served.token)
    browser.click("button", "Capture")
    browser.fill(filter="icmp", packets="4")
    browser.click("dialog button[type=submit]", "Start")
    browser.wait_text("dialog [role=status]", "Capturing")
    a.ping("10.9.0.2", count=2)
    browser.wait_text("dialog [role=status]", "Saved")
    saved = tmp_path / "t-s.pcapng"
    browser.until(saved.exists, "the file")
    from scapy.layers.inet import ICMP
    from scapy.utils import rdpcap

    packets = rdpcap(str(saved))
    assert sorted(packet[ICMP].type for packet in packets) == [0, 0, 8, 8]  # a busy machine answers late


def test_who_is_behind_a_session_and_what_passes_it(
    browser: Browser, served: Served, underlay: tuple[Host, Host]
) -> None:
    a, b = underlay
    for host, far, own in ((a, b, "10.9.0.1/24"), (b, a, "10.9.0.2/24")):
        host.ctl("tunnel", "add", "t", "--remote", far.v4, "--datapath", "user")
        host.ctl("session", "add", "t", "s", "--tx-cookie", "none", "--rx-cookie", "none", "--address", own)
    a.start(["ping", "-q", "-n", "-i", "0.05", "10.9.0.2"])
    browser.open(f"{served.url}#/session/t/s", token=served.token)
    browser.complaints()
    browser.click("button", "Watch")
    for way, source in (("out", "10.9.0.1"), ("in", "10.9.0.2")):
        browser.wait_text(f"tr[data-way={way}]", f"icmp\t{source}")
    browser.click("button", "Listen")
    browser.wait_text("[aria-labelledby=hosts-title] tbody", "10.9.0.2")
    browser.click("button", "Find out why")
    browser.wait_text("[aria-labelledby=doctor-title] [role=status]", ".")
    for size in (PHONE, DESKTOP):
        browser.look(size)
        assert browser.js("return document.documentElement.scrollWidth") <= size[0]
        assert browser.faults() == [], size
    browser.click("button", "Stop")
    browser.wait_text("[aria-labelledby=flows-title]", "Stopped: these are the last ones")
    assert browser.complaints() == []
