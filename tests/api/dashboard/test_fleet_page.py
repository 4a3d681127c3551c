"""The map of a fleet: a real service that looks at a real file, and maps drawn of what such looks may see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.dashboard.browser import DESKTOP, PHONE, Browser
from tests.api.routes.test_fleet import FILE
from tests.api.running import Running, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that is told of a fleet of two hosts, one of which can't be reached."""
    file: Path = tmp_path_factory.mktemp("fleet") / "fleet.toml"
    file.write_text(FILE)
    with running("--unix", "none", "--listen", "127.0.0.1:0", "--fleet", str(file)) as one:
        yield one


@pytest.fixture(scope="module")
def token(service: Running) -> str:
    """A token that may read."""
    return service.token("page", "read")


@pytest.fixture
def page(browser: Browser, service: Running, token: str) -> Iterator[Browser]:
    """A browser at the fleet's page; afterwards it may have nothing to complain of."""
    browser.open(f"http://127.0.0.1:{service.port}/#/fleet", token=token)
    browser.complaints()
    yield browser
    assert browser.complaints() == []


def test_hosts_and_wires_with_what_both_ends_say(page: Browser) -> None:
    page.wait_text("[aria-labelledby=wires-title] tbody", "sitea: not made")
    page.wait_text("[aria-labelledby=hosts-title] tbody", "not known: ")
    page.wait_text("[role=status].dim", "2 hosts, 1 pseudowire; looked at")
    page.wait_text("[aria-labelledby=chosen-title]", "What is wrong")
    page.click("button.choice", "ab")  # by the table, as with a keyboard
    page.wait_text("[aria-labelledby=chosen-title]", "siteb\n\nunknown")
    assert page.shown(".fleet-wire.chosen")
    page.click("[data-host=siteb]")
    page.wait_text("[aria-labelledby=chosen-title]", "Reached by ssh://127.0.0.1:1. 1 pseudowire, 1 of which not up")
    for size in (PHONE, DESKTOP):
        page.look(size)
        assert page.js("return document.documentElement.scrollWidth") <= size[0]
        assert page.faults() == [], size
    page.look(theme="dark")
    assert page.faults() == []


_DRAW = """
const { fleetMap, hubOf, looksOfWire, placesOf } = await import('/dashboard/fleet_map.js');
const up = { condition: 'up', hearing: 'heard', last_received_s: 1, mtu: 1400, notes: [] };
const host = { reach: 'here', version: '1', state: 'as committed', good: true };
const hosts = (n) => [...Array(n).keys()].map((i) => ({ ...host, name: `s${i}` }));
const wire = (a, b, ...ends) => ({ name: `${a}-${b}`, good: true,
  ends: [{ ...up, ...ends[0], host: a }, { ...up, ...ends[1], host: b }] });
"""


@pytest.fixture
def draw(page: Browser) -> Any:
    """Run the body of an async function beside the map's module, and give what it returns."""

    def run(script: str) -> Any:
        whole = f"const done = arguments[0]; (async () => {{ {_DRAW} {script} }})().then(done, (e) => done(String(e)))"
        return page.driver.execute_async_script(whole)

    return run


def test_a_wire_looks_as_its_worse_end_does(draw: Any) -> None:
    assert draw("""
        return [[{}, {}], [{}, { hearing: 'unheard' }], [{ hearing: 'dead' }, {}], [{ condition: 'down' }, {}],
          [{ condition: 'unknown' }, {}], [{ condition: 'unknown' }, { condition: 'not made' }],
          [{ hearing: null }, {}]]
          .map((ends) => looksOfWire(wire('a', 'b', ...ends)));
    """) == ["up", "silent", "trouble", "down", "unknown", "missing", "up"]


def test_a_hub_is_in_the_middle_and_fifty_hosts_have_room(draw: Any) -> None:
    found = draw("""
        const ten = hosts(10);
        const star = ten.slice(1).map((one) => wire('s0', one.name));
        const many = hosts(50);
        const mesh = many.flatMap((a, i) => many.slice(i + 1).map((b) => wire(a.name, b.name)));
        const at = [...placesOf(many, mesh).values()];
        const least = Math.min(...at.flatMap((a, i) => at.slice(i + 1).map((b) => Math.hypot(a.x - b.x, a.y - b.y))));
        const map = fleetMap({ hosts: many, wires: mesh }, null, () => {});
        return { hub: hubOf(ten, star), none: hubOf(many, mesh), middle: placesOf(ten, star).get('s0'),
          least, lines: map.querySelectorAll('line.line').length, told: map.getAttribute('aria-label') };
    """)
    assert (found["hub"], found["none"], found["middle"]["x"], found["middle"]["y"]) == ("s0", None, 300, 300)
    assert found["least"] > 14 and found["lines"] == 1225
    assert found["told"].startswith("50 hosts, 1225 of 1225 pseudowires are up")
