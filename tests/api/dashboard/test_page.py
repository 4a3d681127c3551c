"""The dashboard in a real browser, over the in-memory datapath."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from tests.api.dashboard.browser import DESKTOP, PHONE, Browser
from tests.api.running import Running, home

_PAGES = ("#/", "#/tunnels", "#/tunnel/siteb", "#/session/siteb/lan", "#/events", "#/apply", "#/log", "#/host")


@pytest.fixture(scope="module")
def token(service: Running) -> str:
    """A token that may do everything, of a service with one tunnel."""
    everything = service.token("page", "write", "secrets")
    with service.by_tcp(everything) as client:
        client.put("/v1/tunnels/siteb", json={"remote": "127.0.1.1", "local": "127.0.0.1"}).raise_for_status()
        client.put("/v1/tunnels/siteb/sessions/lan", json={"bridge": "br0"}).raise_for_status()
        client.put("/v1/tunnels/siteb/sessions/dmz", json={"address": ["10.9.0.1/24"]}).raise_for_status()
    return everything


@pytest.fixture
def url(service: Running) -> str:
    """Where the dashboard is."""
    return f"http://127.0.0.1:{service.port}/"


@pytest.fixture
def page(browser: Browser, url: str, token: str) -> Iterator[Browser]:
    """A browser that is logged in, at the overview; afterwards it may have nothing to complain of."""
    browser.open(url, token=token)
    browser.wait_for("[data-key='t siteb']")
    browser.complaints()
    yield browser
    assert browser.complaints() == []


def test_why_the_page_does_not_start(browser: Browser, url: str) -> None:
    """As behind a proxy that refuses its scripts, or one of those that these need."""
    browser.driver.execute_cdp_cmd("Network.enable", {})
    for blocked in ("main.js", "plot.js"):
        browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": [f"*/dashboard/{blocked}"]})
        try:
            browser.driver.get("about:blank")
            browser.driver.get(url)
            browser.wait_text("#starting", "main.js, or what it needs, could not be loaded")
            browser.wait_text("#link", "not started")
            assert browser.faults() == []
        finally:
            browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    browser.driver.get(url)
    browser.wait_for("#token")
    assert browser.shown("#starting") == []


def test_which_host_it_is_of(page: Browser, url: str) -> None:
    """Two hosts' pages in two tabs must not be taken for each other: least of all where something is removed."""
    host = socket.gethostname()
    assert page.text("#here") == host
    assert page.js("return document.title") == f"Overview · {host} · l2tpv3"
    page.wait_text(".topology", host)
    page.go("#/tunnel/siteb")
    page.click("button", "Remove")
    page.wait_text("dialog", f"On host {host}.")
    page.press(Keys.ESCAPE)
    page.open(url)
    page.wait_text("h1", f"Log in to {host}")
    assert page.js("return document.title") == f"Log in · {host} · l2tpv3"
    page.wait_text("#link", "not logged in")
    assert any("401" in one for one in page.complaints())


def test_what_takes_much_away_wants_the_name_typed(page: Browser, service: Running, token: str) -> None:
    for route, verb, name in (("#/tunnel/siteb", "Remove", "siteb"), ("#/host", "Stop all", socket.gethostname())):
        page.go(route)
        page.click("main button", verb)
        assert page.focused() == "field-typed"
        page.press(name[:-1], Keys.ENTER)
        assert page.js("return document.querySelector('dialog .danger').disabled"), verb
        page.press(name[-1])
        assert not page.js("return document.querySelector('dialog .danger').disabled"), verb
        page.click("dialog footer button", "Cancel")
    with service.by_tcp(token) as client:
        assert client.get("/v1/tunnels/siteb").json()["condition"] == "up"


def test_what_was_typed_is_not_thrown_away_unasked(page: Browser) -> None:
    page.click("button", "Add tunnel")
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.shown("dialog"), "an empty form to close")
    assert page.focused() == "Add tunnel"
    page.press(Keys.ENTER)
    page.fill(name="kept")
    page.press(Keys.ESCAPE, Keys.ESCAPE)
    page.wait_text("dialog", "Throw away what you typed?")
    assert page.faults() == []
    assert page.focused() == "Go on"
    page.press(Keys.ENTER)
    assert page.js("return document.querySelector('dialog [name=name]').value") == "kept"
    page.press(Keys.ESCAPE, Keys.TAB, Keys.ENTER)
    page.until(lambda: not page.shown("dialog"), "the form to close")


def test_login(browser: Browser, url: str, token: str) -> None:
    browser.open(url)
    browser.wait_for("#token").send_keys("l2tpv3_000000000000_wrong", Keys.ENTER)
    browser.wait_text("#token-error", "wrong, revoked or expired")
    assert browser.faults() == []
    browser.wait_for("#token").send_keys(token, Keys.ENTER)
    browser.wait_text("h1", "Overview")
    assert browser.js("return document.cookie + localStorage.length") == "0"
    browser.click("#leave")
    browser.wait_for("#token")
    assert browser.js("return sessionStorage.length") == 0


def test_a_token_in_the_address_is_taken_out_of_it(browser: Browser, url: str, token: str) -> None:
    browser.open(url, token=token)
    assert token not in browser.js("return location.href")


def test_a_new_tab_is_logged_in_and_all_log_out_at_once(page: Browser, url: str) -> None:
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        page.driver.get(f"{url}#/session/siteb/lan")
        page.wait_text("h1", "siteb/lan")
        page.click("#leave")
        page.wait_for("#token")
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)
    page.wait_for("#token")
    assert page.js("return sessionStorage.length") == 0
    assert any("401" in one for one in page.complaints())


def test_a_page_that_nobody_sees_asks_for_nothing(page: Browser, service: Running, token: str) -> None:
    hide = (
        "Object.defineProperty(document, 'hidden', { value: arguments[0] === 1, configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.js(hide, 1)
    page.wait_text("#link", "paused")
    with service.by_tcp(token) as client:
        client.put("/v1/tunnels/siteb/sessions/unseen", json={}).raise_for_status()
        assert page.shown("[data-key='s siteb/unseen']") == []
        page.js(hide, 0)
        page.wait_for("[data-key='s siteb/unseen']")
        page.wait_text(".events", "session siteb/unseen appeared")
        client.delete("/v1/tunnels/siteb/sessions/unseen").raise_for_status()
    page.go("#/host")  # shows no rates
    asked = "return performance.getEntriesByType('resource').map((one) => one.name).join()"
    page.go("#/")
    page.until(lambda: "counters=10" in str(page.js(asked)), "rates to be asked for seldom")


def test_who_may_only_read_is_offered_nothing_else(browser: Browser, service: Running, url: str, token: str) -> None:
    browser.open(f"{url}#/session/siteb/lan", token=service.token("reader", "read"))
    browser.wait_text("h1", "siteb/lan")
    browser.wait_text("main", "Capture")  # the heading is there before what is told of the session
    said = browser.text("main")
    for word in ("Change", "Remove", "Add"):
        assert word not in said
    for words in ("Peer configuration", "Capture"):
        browser.click("button[aria-disabled=true]", words)
        browser.wait_text("#notices", f"{words}s hold the cookies: they need a token with the scope “secrets”")
    for words, why in (("Listen", "Who is behind a session is seen"), ("Watch", "What passes a session is seen")):
        browser.js("document.getElementById('notices').replaceChildren()")  # they would lie over the next button
        browser.click("button[aria-disabled=true]", words)
        browser.wait_text("#notices", why)
    assert browser.faults() == []


def test_add_change_and_remove(page: Browser, service: Running, token: str) -> None:
    page.click("button", "Add tunnel")
    page.fill(name="sitec", remote="127.0.1.2", local="127.0.0.1")
    page.click("dialog summary", "More")
    page.fill(local_port="1702", remote_port="1702", id="77")
    page.click("dialog button[type=submit]")
    page.wait_text("h1", "sitec")
    page.click("button", "Add the first")
    page.fill(name="voice", mtu="1300")
    page.click("dialog button[type=submit]")
    page.wait_text("h1", "sitec/voice")
    page.wait_text(".facts", "1300")

    page.click("button", "Change")
    page.fill(mtu="1280", description="Contract 4711")
    page.click("dialog button[type=submit]")
    page.wait_text("#notices", "no traffic was interrupted")
    page.wait_text(".facts", "1280")
    page.wait_text(".facts", "Contract 4711")
    page.wait_text(".next", "Once it is set up as “Peer configuration” says")

    page.click("button", "Set down")
    page.click("dialog button[type=submit]", "Set down")
    page.wait_text("h1", "down")
    page.wait_text(".next", "because it was asked to be")
    page.click("button", "Set up")
    page.wait_text("h1", "hears nothing")

    page.click("button", "Remove")
    page.click("dialog button[type=submit]", "Remove")
    page.wait_text("h1", "sitec")
    page.click("button", "Remove")
    page.click("dialog button[type=submit]", "Remove")
    page.wait_text("h1", "Tunnels")
    page.until(lambda: "sitec" not in page.text(".rows"), "the row to go")
    page.go("#/log")
    page.wait_text(".log", "sitec")
    page.press("/")
    assert page.focused() == "search"
    page.press("sitec token remove")
    page.until(lambda: "siteb" not in page.text(".log"), "the others to go")
    page.wait_text(".log", "token page")
    page.look(PHONE)
    assert page.js("return Math.min(...[...document.querySelectorAll('.log .what')].map((e) => e.clientWidth))") > 250


def test_findings_of_one_cause_stand_together(page: Browser, service: Running, token: str) -> None:
    with service.by_tcp(token) as client:
        client.put("/v1/tunnels/siteq", json={"remote": "127.0.1.17", "local": "127.0.0.1"}).raise_for_status()
        client.post("/v1/down").raise_for_status()
        page.click("button", "Find out why")
        page.wait_text("[data-finding=not-running]", "nothing passes")
        assert len(page.shown("[data-finding=not-running]")) == 1
        page.click("[data-finding=not-running] summary", "1 more of this cause")
        page.wait_text("[data-finding=not-running] .next-one", "tunnel siteq")
        page.wait_text("[data-finding=not-running] .next-one", "Remedy: `l2tpctl restore siteq` brings it back")
        assert page.faults() == []
        client.post("/v1/restore").raise_for_status()
        client.delete("/v1/tunnels/siteq").raise_for_status()


def test_checksums_can_be_left_to_the_default(page: Browser) -> None:
    """It depends on the datapath, so it is no word of the list, as with other fields."""
    page.click("button", "Add tunnel")
    page.fill(name="checks", remote="127.0.1.9", local="127.0.0.1")
    page.click("dialog summary", "More")
    assert page.js("return document.getElementById('field-udp_checksum').value") == ""
    page.fill(local_port="1790", udp_checksum="off")
    page.click("dialog button[type=submit]")
    page.wait_text("h1", "checks")
    page.wait_text(".facts", "checksum off")
    page.click("button", "Change")
    page.click("dialog summary", "More")
    page.fill(udp_checksum="")
    page.click("dialog button[type=submit]")
    page.wait_text(".facts", "checksum on")
    page.click("button", "Remove")
    page.click("dialog button[type=submit]", "Remove")
    page.wait_text("h1", "Tunnels")


def test_what_the_service_refuses_is_told_beside_the_field(page: Browser) -> None:
    page.click("button", "Add tunnel")
    page.click("dialog button[type=submit]")  # all that is missing at once
    page.wait_text("#field-name-error", "Give the tunnel a name")
    page.wait_text("#field-remote-error", "is missing")
    page.fill(name="bad name!", remote="198.51.100.400")
    page.click("dialog button[type=submit]")  # and all that is wrong
    page.wait_text("#field-name-error", "is not a name")
    page.wait_text("#field-remote-error", "is not an IP address")
    assert page.focused() == "field-name"
    page.fill(name="sited")
    page.click("dialog button[type=submit]")
    page.until(lambda: page.focused() == "field-remote", "the focus at what is left")
    assert page.js("return document.activeElement.getAttribute('aria-invalid')") == "true"
    assert page.faults() == []
    page.fill(remote="127.0.1.3", local="127.0.0.1")
    page.js("document.querySelector('dialog details').open = true")
    page.fill(local_port="70000")
    page.js("document.querySelector('dialog details').open = false")
    page.click("dialog button[type=submit]")
    page.wait_text("#field-local_port-error", "70000")
    assert page.focused() == "field-local_port"
    page.fill(name="siteb", local_port="1709")
    page.click("dialog button[type=submit]")
    page.until(lambda: "exists" in page.text("dialog") or "is there already" in page.text("dialog"), "a clash of names")
    page.click("dialog footer button", "Cancel")
    page.until(lambda: not page.shown("dialog"), "the form to close")
    assert "412" in "".join(page.complaints())  # a browser notes refusals, too; the page fixture wants none left


def test_by_keyboard_alone(page: Browser) -> None:
    page.js("document.activeElement.blur()")
    page.press(Keys.TAB)
    assert page.focused() == "Skip to the content"
    page.press(Keys.ENTER)
    assert page.focused() == "main"
    page.press(Keys.TAB)
    assert page.focused() == "Add tunnel"
    page.press(Keys.ENTER)
    page.wait_for("dialog")
    assert page.focused() == "field-name"
    page.press("keys", Keys.TAB, "127.0.1.4", Keys.TAB, "127.0.0.1", Keys.TAB, Keys.TAB)
    assert page.focused() == "field-encrypt"
    page.press(Keys.TAB)
    assert page.focused() == "field-description"
    page.press(Keys.TAB)
    assert page.focused() == "More"
    page.press(Keys.ENTER, Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB)
    assert page.focused() == "field-local_port"
    page.press("1704", Keys.ENTER)
    page.wait_text("h1", "keys")
    assert page.focused() == "main"

    page.go("#/tunnels")
    page.wait_for("[data-key='t keys']")
    link = page.wait_for(".rows a[tabindex='0']")
    page.js("arguments[0].focus()", link)
    page.press(Keys.END)
    assert page.focused() == "◇hears nothing: lan"
    page.press(Keys.ARROW_UP, Keys.ARROW_UP)
    assert page.focused() == "◇hears nothing: siteb"
    page.press(Keys.HOME, Keys.ENTER)
    page.wait_text("h1", "keys")
    page.js("arguments[0].focus()", page.shown("button.danger")[0])
    page.press(Keys.ENTER)
    page.wait_for("dialog")
    assert page.focused() == "Cancel"
    page.press(Keys.ENTER)  # a key that bounces
    page.until(lambda: not page.shown("dialog"), "the dialog to close")
    assert page.text("h1").startswith("keys")
    assert page.focused() == "Remove"
    page.press(Keys.ENTER, Keys.TAB, Keys.ENTER)
    page.wait_text("h1", "Tunnels")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_fault(page: Browser, theme: str) -> None:
    faults: list[str] = []
    for size in (DESKTOP, PHONE):
        page.look(size, theme)
        for route in _PAGES:
            page.go(route)
            page.wait_for("h1")
            page.until(lambda: page.js("return document.documentElement.dataset.theme") == theme, theme)
            faults += [f"{route} {size}: {fault}" for fault in page.faults()]
    for words in ("Change", "Peer configuration", "Capture", "Remove"):
        page.go("#/session/siteb/lan")
        page.click("button", words)
        page.wait_for("dialog")
        page.js("for (const one of document.querySelectorAll('dialog details')) one.open = true")
        faults += [f"dialog {words}: {fault}" for fault in page.faults()]
        page.press(Keys.ESCAPE)
        page.until(lambda: not page.shown("dialog"), "the dialog to close")
    assert faults == []


def test_no_page_is_wider_than_a_phone(page: Browser) -> None:
    page.look(PHONE)
    for route in _PAGES:
        page.go(route)
        page.wait_for("h1")
        assert page.js("return document.documentElement.scrollWidth") <= PHONE[0], route
        assert page.shown("#nav a[aria-current=page]"), route
    page.go("#/tunnels")
    page.click("button", "Add tunnel")
    page.click("dialog summary", "More")
    assert page.js("return document.querySelector('dialog').scrollWidth") <= PHONE[0]


def test_dark_and_light(page: Browser) -> None:
    colour = "return getComputedStyle(document.body).backgroundColor"
    light = page.js(colour)
    page.look(theme="dark")
    page.until(lambda: page.js(colour) != light, "dark")
    dark = page.js(colour)
    page.click("#theme")  # light, whatever the system has
    page.until(lambda: page.js(colour) == light, "light")
    page.driver.refresh()
    page.wait_text("#link", "live")
    assert page.js(colour) == light
    page.click("#theme")
    page.until(lambda: page.js(colour) == dark, "dark")


def test_plan_apply_undo_and_keep(page: Browser, service: Running, token: str) -> None:
    page.go("#/apply")
    page.click("button", "Load what is on record")
    page.until(lambda: "[tunnel.siteb]" in str(page.js("return document.getElementById('wanted').value")), "the state")
    assert "cookie" not in str(page.js("return document.getElementById('wanted').value"))
    page.click("button", "Show plan")
    page.wait_text("section:has(.plan)", "Nothing to do")  # cookies that are left out stay as they are
    more = '\n[tunnel.sitee]\nremote = "127.0.1.5"\nlocal = "127.0.0.1"\nlocal-port = 1705\n'
    editor = page.wait_for("#wanted")
    editor.send_keys(Keys.CONTROL, Keys.END)
    editor.send_keys(Keys.NULL, more.replace("127.0.1.5", "no/where"))
    page.click("button", "Show plan")
    page.wait_text("#wanted-error", "no/where")
    page.click("#wanted-error button", "Line ")
    selected = "const e = document.activeElement; return e.value.slice(e.selectionStart, e.selectionEnd)"
    assert page.js(selected) == 'remote = "no/where"'
    assert page.text(".gutter .wrong").strip() == page.text("#wanted-error button").removeprefix("Line ")
    page.js("const e = document.getElementById('wanted'); e.value = e.value.replace('no/where', '127.0.1.5')")
    page.click("button", "Show plan")
    page.wait_text(".plan", "tunnel sitee")
    assert page.shown("#wanted-error") == []
    assert page.faults() == []

    for verb, kept in (("Undo now", False), ("Keep it", True)):
        page.click(".view button", "Apply")
        page.click("dialog button[type=submit]", "Apply")
        page.wait_text(".confirmation", "Undone by itself in")
        page.click(".confirmation button", verb)
        page.until(lambda: not page.shown(".confirmation"), "the bar to go")
        with service.by_tcp(token) as client:
            assert (client.get("/v1/tunnels/sitee").status_code == 200) is kept
        if not kept:
            page.click("button", "Show plan")
            page.wait_text(".plan", "tunnel sitee")
    with service.by_tcp(token) as client:
        client.delete("/v1/tunnels/sitee").raise_for_status()
    page.click("button", "Show plan")
    page.wait_text(".plan", "tunnel sitee")
    page.fill_in("confirm", "2")
    page.click(".view button", "Apply")
    page.click("dialog button[type=submit]", "Apply")
    page.wait_text("#notices .bad", "Undone: nobody confirmed the change within 2 s")
    page.go("#/events")
    page.wait_text(".events", "changes undone: nobody confirmed in time")
    assert any("422" in one for one in page.complaints())


def test_the_far_ends_configuration(page: Browser) -> None:
    page.go("#/tunnel/siteb")
    page.click("button", "Peer configuration")
    page.wait_text(".code", "l2tpctl tunnel add siteb")
    page.fill(**{"as": "iproute2"})
    page.wait_text(".code", "ip l2tp add tunnel")
    page.wait_text("dialog", "session dmz: this end has 10.9.0.1/24; give the other end's netdev another address")
    assert page.js("const e = document.querySelector('.code'); return e.scrollWidth <= e.clientWidth")
    page.wait_for("dialog button:not(:disabled)")
    assert "Download" in page.text("dialog footer")
    page.click("dialog button", "Copy")
    page.wait_text("dialog", "Copied")
    page.press(Keys.ESCAPE)


def test_the_invitation_to_the_far_end(page: Browser, service: Running, token: str) -> None:
    with service.by_tcp(token) as client:
        client.put("/v1/tunnels/asked", json={"remote": "127.0.0.9"}).raise_for_status()
        client.put("/v1/tunnels/asked/sessions/lan", json={}).raise_for_status()
        page.go("#/tunnel/asked")
        page.click("button", "Invitation")
        page.wait_text(".code", "l2tpv3-join:1:")
        page.wait_for("dialog .qr svg path")
        page.fill(expires="86400")
        page.wait_text("dialog .hint", "makes the other end of it, once, until")
        assert page.faults() == []
        page.click("dialog button", "Copy")
        page.wait_text("dialog", "Copied")
        page.press(Keys.ESCAPE)
        client.delete("/v1/tunnels/asked").raise_for_status()


def test_an_invitation_that_draws_a_key_is_asked_for_by_a_button(page: Browser, service: Running, token: str) -> None:
    script = """
    const done = arguments[0];
    const file = document.querySelector('script[type=module][src]').src;
    import(new URL('far_end.js', file))
      .then(({ showInvitation }) => { showInvitation('drawn', true); done(''); }, (error) => done(String(error)));
    """
    with service.by_tcp(token) as client:
        client.put("/v1/tunnels/drawn", json={"remote": "127.0.0.9"}).raise_for_status()
        client.put("/v1/tunnels/drawn/sessions/lan", json={}).raise_for_status()
        page.go("#/tunnel/drawn")
        page.wait_text("h1", "drawn")
        assert page.driver.execute_async_script(script) == ""
        page.wait_text("dialog .hint", "of no use from then on")
        assert "l2tpv3-join" not in page.text("dialog .code")
        page.click("dialog button", "Draw its key")
        page.wait_text("dialog .code", "l2tpv3-join:1:")
        assert page.faults() == []
        page.press(Keys.ESCAPE)
        client.delete("/v1/tunnels/drawn").raise_for_status()


def test_what_fits_through_a_tunnel(page: Browser, service: Running, token: str) -> None:
    with service.by_tcp(token) as client:
        client.put("/v1/tunnels/fits", json={"remote": "127.0.0.9"}).raise_for_status()
        client.put("/v1/tunnels/fits/sessions/lan", json={}).raise_for_status()
        said = client.get("/v1/tunnels/fits/mtu").json()
        page.go("#/tunnel/fits")
        page.click("button", "MTU")
        page.wait_text("dialog .mtu", "not asked yet")
        fits = f"{said['sessions'][0]['fits_bytes']} bytes"
        for words in (f"{said['route_bytes']} bytes", fits, "UDP header", "A frame of full size (1500 bytes) takes"):
            page.wait_text("dialog .mtu", words)
        assert page.faults() == []
        page.press(Keys.ESCAPE)
        client.delete("/v1/tunnels/fits").raise_for_status()


def test_changes_of_others_are_seen(page: Browser, service: Running, token: str) -> None:
    with service.by_tcp(token) as client:
        client.put("/v1/tunnels/siteb/sessions/guest", json={}).raise_for_status()
        page.wait_for("[data-key='s siteb/guest']")
        page.wait_text(".events", "session siteb/guest appeared")
        client.delete("/v1/tunnels/siteb/sessions/guest").raise_for_status()
    page.until(lambda: not page.shown("[data-key='s siteb/guest']"), "the session to go")
    page.wait_text(".events", "session siteb/guest vanished")


def test_it_comes_back_when_the_service_does(browser: Browser) -> None:
    with home() as service:
        service.start("--log-format", "json", "--unix", "none", "--listen", "127.0.0.1:0")
        service.wait_ready()
        port = service.port
        browser.open(f"http://127.0.0.1:{port}/", token=service.token("page", "write"))
        service.stop(signal.SIGKILL)
        browser.wait_text("#link", "reconnecting")
        browser.wait_text("#stale", "what is shown is as of")
        assert browser.js("return getComputedStyle(document.querySelector('main')).filter") == "grayscale(1)"
        assert browser.faults() == []
        browser.wait_text(".events", "the service is away")
        service.log.unlink()
        service.start("--log-format", "json", "--unix", "none", "--listen", f"127.0.0.1:{port}")
        service.wait_ready()
        browser.wait_text("#link", "live")
        browser.wait_text(".events", "the service is back")
        assert browser.shown("#stale, body[data-stale]") == []
        with service.by_tcp(service.token("other", "write")) as client:
            client.put("/v1/tunnels/back", json={"remote": "127.0.1.9", "local": "127.0.0.1"}).raise_for_status()
        browser.wait_for("[data-key='t back']")


def test_what_encrypts_a_tunnel_is_told(page: Browser) -> None:
    script = """
    const [status, done] = arguments;
    const file = document.querySelector('script[type=module][src]').src;
    import(new URL('views/encryption.js', file))
      .then(({ aboutEncryption }) => done(aboutEncryption(status).flat()), (error) => done([String(error)]));
    """
    status = {
        "by": "wireguard-go", "pid": 7, "ifname": "l2tpwg0", "since": 0, "handshake": None,
        "endpoint": "192.0.2.1:51820", "rx_bytes": 2000, "tx_bytes": 1, "local": "fd00::1", "remote": "fd00::2",
        "public_key": "KEY=",
    }  # fmt: skip
    told = page.driver.execute_async_script(script, status)
    for text in ("wireguard-go, pid 7, netdev l2tpwg0", "never", "192.0.2.1:51820", "fd00::1 to fd00::2", "KEY="):
        assert text in told, told
    assert page.driver.execute_async_script(script, None) == []
