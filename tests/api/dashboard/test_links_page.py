"""Links on the dashboard: what is layered on what, the list, a page each, forms that follow the type, plans."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from tests.api.dashboard.browser import DESKTOP, PHONE, Browser
from tests.api.running import Running

_PAGES = ("#/", "#/links", "#/link/br7", "#/link/v5", "#/link/none", "#/host")


@pytest.fixture(scope="module")
def token(service: Running) -> str:
    """Of a service with a bridge over a NIC and a session, a VLAN over that, and a session that joined by itself."""
    everything = service.token("page", "write", "secrets")
    with service.by_tcp(everything) as client:
        client.put("/v1/tunnels/siteb", json={"remote": "127.0.1.1", "local": "127.0.0.1"}).raise_for_status()
        client.put("/v1/tunnels/siteb/sessions/lan", json={"ifname": "lan0"}).raise_for_status()
        over = {"over": ["eth0", "siteb/lan"], "address": ["10.9.0.1/24"]}
        client.put("/v1/links/br7", json={"type": "bridge", **over}).raise_for_status()
        client.put("/v1/links/v5", json={"type": "vlan", "id": 5, "over": ["br7"]}).raise_for_status()
        client.put("/v1/tunnels/siteb/sessions/own", json={"bridge": "br7"}).raise_for_status()
    return everything


@pytest.fixture
def url(service: Running) -> str:
    return f"http://127.0.0.1:{service.port}/"


@pytest.fixture
def page(browser: Browser, url: str, token: str) -> Iterator[Browser]:
    """A browser that is logged in, at the list of links; afterwards it may have nothing to complain of."""
    browser.open(f"{url}#/links", token=token)
    browser.wait_for("[data-key='l br7']")
    browser.complaints()
    yield browser
    assert browser.complaints() == []


def test_what_is_layered_on_what(page: Browser) -> None:
    picture = "section:has(#layers-title)"
    for words in ("eth0", "siteb/lan", "siteb/own", "br7", "v5", "vlan 5"):
        page.wait_text(picture, words)
    assert len(page.shown(f"{picture} svg .wire")) == 4
    page.go("#/")
    page.wait_text(picture, "br7")
    page.click("svg [data-key='b br7'] .name")  # the bridge in the topology is the link
    page.wait_text("h1", "br7")
    page.wait_text("section:has(#layered-title)", "siteb/own")
    page.click("section:has(#layered-title) a", "v5")
    page.wait_text("h1", "v5")
    page.wait_text(".facts", "802.1q")
    page.look(PHONE)
    page.go("#/links")
    page.wait_text("section:has(#layers-title) ul", "vlan 5 over br7")


def test_the_list_is_looked_through(page: Browser) -> None:
    page.wait_text(".filters [role=status]", "2 links")
    page.wait_for("#search").send_keys("eth0")
    page.until(lambda: not page.shown(".rows [data-key='l v5']"), "the row to go")
    page.wait_for("#search").clear()
    page.wait_for("#search").send_keys(Keys.SPACE)
    page.js("const e = document.getElementById('type'); e.value = 'vlan'; e.dispatchEvent(new Event('change'))")
    page.until(lambda: not page.shown(".rows [data-key='l br7']"), "the row to go")
    page.wait_for(".rows [data-key='l v5']")


def test_add_change_and_remove(page: Browser, service: Running, token: str) -> None:
    page.click("button", "Add link")
    assert page.focused() == "field-name"
    page.fill(name="uplink", over="eth1 eth2", type="bond")
    assert page.shown("dialog [name=stp]") == []
    assert page.js("return document.querySelector('dialog [name=over]').value") == "eth1 eth2"
    page.fill(hash="layer2", primary="eth1")
    page.click("dialog button[type=submit]")
    page.wait_text("h1", "uplink")
    page.wait_text(".facts", "active-backup")
    with service.by_tcp(token) as client:
        wanted = client.get("/v1/links/uplink").json()["wanted"]
    assert (wanted["over"], wanted["hash"], wanted["primary"]) == (["eth1", "eth2"], "layer2", "eth1")

    page.click("button", "Change")
    page.fill(mtu="1400", over="eth1")
    page.click("dialog button[type=submit]")
    page.wait_text("#notices", "no traffic was interrupted")
    page.wait_text(".facts", "1400")
    page.wait_text("section:has(#layered-title)", "eth1")
    page.click("button", "Change")
    page.fill(mode="xor")
    page.click("dialog button[type=submit]")
    page.wait_text("#notices", "made anew")

    page.click("button", "Remove")
    page.click("dialog button[type=submit]", "Remove")
    page.wait_text("h1", "Links")
    page.until(lambda: not page.shown("[data-key='l uplink']"), "the row to go")


def test_what_the_service_refuses_is_told_beside_the_field(page: Browser) -> None:
    page.click("button", "Add link")
    page.fill(name="v9", type="vlan", over="eth1")
    page.click("dialog button[type=submit]")
    page.wait_text("#field-id-error", "needs its number")
    assert page.focused() == "field-id"
    page.fill(id="5000")
    page.click("dialog button[type=submit]")
    page.wait_text("#field-id-error", "out of range")
    assert page.faults() == []
    page.fill(id="9", over="eth9")
    page.click("dialog button[type=submit]")
    page.wait_text("dialog .alert", "no netdev eth9")
    page.fill(over="eth0", type="alias")
    page.click("dialog button[type=submit]")
    page.wait_text("#field-over-error", "what link br7 is over already")
    page.click("dialog footer button", "Cancel")
    page.until(lambda: not page.shown("dialog"), "the form to close")
    page.go("#/link/br7")
    page.click("button", "Remove")
    page.click("dialog button[type=submit]", "Remove")
    page.wait_text("dialog .alert", "link v5 is over it")
    page.press(Keys.ESCAPE)
    assert len(page.complaints()) == 5  # a browser notes refusals, too


def test_a_plan_with_links(page: Browser) -> None:
    page.go("#/apply")
    page.click("button", "Load what is on record")
    page.until(lambda: "[link.br7]" in str(page.js("return document.getElementById('wanted').value")), "the state")
    page.click("button", "Show plan")
    page.wait_text("section:has(.plan)", "Nothing to do")
    script = "const e = document.getElementById('wanted'); e.value = e.value.replace('id = 5', 'id = 6');"
    page.js(script + "e.dispatchEvent(new Event('input'))")
    page.click("button", "Show plan")
    page.wait_text(".plan", "link v5")
    page.wait_text(".plan", "interrupts its traffic")


def test_changes_of_others_are_seen(page: Browser, service: Running, token: str) -> None:
    with service.by_tcp(token) as client:
        client.put("/v1/links/al", json={"type": "alias", "over": ["eth2"]}).raise_for_status()
        page.wait_for(".rows [data-key='l al']")
        client.patch("/v1/links/al", json={"up": False}).raise_for_status()
        page.wait_text(".rows [data-key='l al']", "down")
        client.delete("/v1/links/al").raise_for_status()
    page.until(lambda: not page.shown("[data-key='l al']"), "the link to go")
    page.go("#/events")
    page.wait_text(".events", "link al vanished")


def test_who_may_only_read_is_offered_nothing_else(browser: Browser, service: Running, url: str, token: str) -> None:
    browser.open(f"{url}#/link/br7", token=service.token("reader", "read"))
    browser.wait_text("h1", "br7")
    for word in ("Change", "Remove", "Add"):
        assert word not in browser.text("main")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_fault(page: Browser, theme: str) -> None:
    faults: list[str] = []
    for size in (DESKTOP, PHONE):
        page.look(size, theme)
        for route in _PAGES:
            page.go(route)
            page.wait_for("h1, .empty")
            page.until(lambda: page.js("return document.documentElement.dataset.theme") == theme, theme)
            if size == PHONE:
                assert page.js("return document.documentElement.scrollWidth") <= PHONE[0], route
            faults += [f"{route} {size}: {fault}" for fault in page.faults()]
    for route, words in (("#/links", "Add link"), ("#/link/br7", "Change"), ("#/link/br7", "Remove")):
        page.go(route)
        page.click("button", words)
        page.wait_for("dialog")
        page.js("for (const one of document.querySelectorAll('dialog details')) one.open = true")
        faults += [f"dialog {words}: {fault}" for fault in page.faults()]
        page.press(Keys.ESCAPE)
        page.until(lambda: not page.shown("dialog"), "the dialog to close")
    assert faults == []
