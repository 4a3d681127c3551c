"""What the page makes of counters, without waiting for them: its own modules, told of counters at chosen times."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.dashboard.browser import Browser
from tests.api.running import Running

_BEGIN = """
const done = arguments[arguments.length - 1];
const [{ Model }, { Topology }, { troublePanel }, { itemsOf }] = await Promise.all(
  ['model', 'topology', 'trouble', 'lists'].map((name) => import(`/dashboard/${name}.js`)));
const model = new Model(() => {});
const ZERO = { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0, tx_errors: 0, rx_errors: 0,
  rx_seq_discards: 0, rx_oos_packets: 0, rx_cookie_discards: 0, rx_invalid: 0, rx_incomplete: 0, rx_too_long: 0 };
const add = (tunnel, ...names) => {
  const sessions = names.map((name) => ({ tunnel, name, condition: 'up', ifname: `${tunnel}-${name}`, netdev: null,
    counters: { ...ZERO, rx_packets: 1 }, wanted: { up: true } }));
  const document = { name: tunnel, condition: 'up', remote: '192.0.2.1', encap: 'udp', datapath: 'user', sessions };
  model.take('tunnel', { change: 'appeared', name: tunnel, document });
};
const count = (second, counters) => model.take('counters', { time: new Date(second * 1000).toISOString(),
  sessions: [...model.sessions.values()].map((one) => ({ tunnel: one.tunnel, name: one.name,
    counters: { ...ZERO, rx_packets: 1, ...counters[`${one.tunnel}/${one.name}`] } })) });
const looks = (key) => model.looksOfSession(model.sessions.get(key));
const tunnel = (name) => model.looksOfTunnel(model.tunnels.get(name));
const names = (count) => [...Array(count).keys()].map((i) => `s${i}`);
model.loaded = true;
"""


@pytest.fixture
def run(browser: Browser, service: Running) -> Any:
    """Run the body of an async function beside the page's modules, and give what it returns."""
    browser.open(f"http://127.0.0.1:{service.port}/")
    browser.wait_for("#token")

    def run(script: str) -> Any:
        whole = (
            f"(async () => {{ {_BEGIN} {script} }})()"
            ".then(arguments[arguments.length - 1], (error) => arguments[arguments.length - 1](String(error.stack)))"
        )
        return browser.driver.execute_async_script(whole.replace("arguments[arguments.length - 1];", "null;", 1))

    return run


def test_what_sends_and_hears_nothing_is_not_up(run: Any) -> None:
    assert run("""
        add('t', 'answered', 'idle', 'alone', 'never');
        const seen = [];
        for (let second = 0; second <= 100; second += 2) {
          count(second, { 't/answered': { rx_packets: 1 + second, tx_packets: second },
            't/alone': { rx_packets: 1 + Math.min(second, 20), tx_packets: Math.min(second, 60) },
            't/never': { rx_packets: 0 } });
          const all = ['answered', 'idle', 'alone', 'never'].map((one) => looks(`t/${one}`)).join(' ');
          if ([2, 48, 60, 96].includes(second)) seen.push(all);
          if (second !== 60) continue;
          seen.push(model.saidOfSilence(model.sessions.get('t/alone')));
          seen.push(model.troubles().map((one) => one.session.name).join());
        }
        return seen;
    """) == [
        "up up up silent",
        "up up up silent",
        "up up silent silent",
        "sends, and hears nothing for 38 s",
        "alone",  # what has never heard anything and does not send is nothing that one would mend
        "up up up silent",  # and sends no more
    ]  # fmt: skip


def test_whether_the_other_end_is_heard_is_said_beside_the_state(run: Any) -> None:
    assert run("""
        add('t', 's');
        const told = (hearing, last_received_s) => {
          model.take('counters', { time: new Date(1000).toISOString(),
            sessions: [{ tunnel: 't', name: 's', counters: { ...ZERO, rx_packets: 1 }, hearing, last_received_s }] });
          return `${looks('t/s')}: ${model.saidOfHearing(model.sessions.get('t/s'))}`;
        };
        return [told('heard', 3.9), told('heard', 7300), told('heard', null), told('unheard', 125),
          told('unheard', null), told('dead', 40), told(null, null)];
    """) == [
        "up: heard 3 s ago",
        "up: heard 2 h ago",
        "up: heard",
        "silent: unheard, last heard 2 min ago",
        "silent: unheard",
        "silent: dead, last heard 40 s ago",
        "up: ",
    ]  # fmt: skip


def test_a_tunnel_looks_as_its_sessions_do(run: Any) -> None:
    assert run("""
        add('all', 'a', 'b'); add('some', 'a', 'b'); add('bad', 'a', 'b'); add('none');
        const unheard = { rx_packets: 0 };
        count(0, {});
        count(1, { 'all/a': unheard, 'all/b': unheard, 'some/a': unheard, 'bad/b': { rx_cookie_discards: 1 } });
        return ['all', 'some', 'bad', 'none'].map(tunnel);
    """) == ["silent", "up", "trouble", "silent"]  # fmt: skip


def test_what_comes_into_trouble_comes_into_the_picture(run: Any) -> None:
    """Also what was behind "more" when the picture was drawn; grouped by its cause, with a link to all of them."""
    assert run("""
        add('t', ...names(100)); add('u', 's0');
        const topology = new Topology(model);
        const trouble = troublePanel(model);
        document.getElementById('main').replaceChildren(topology.element, trouble.element);
        count(0, {});
        await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
        topology.draw(); trouble.update();
        const shown = () => [...topology.element.querySelectorAll('.chip.trouble')].length;
        const before = [shown(), trouble.count()];
        count(1, Object.fromEntries(names(100).slice(80).map((name) => [`t/${name}`, { rx_cookie_discards: 3 }])));
        topology.rates(); trouble.update();
        const row = trouble.element.querySelector('[data-trouble=rx_cookie_discards]');
        const links = [...row.querySelectorAll('a')].map((one) => `${one.textContent} ${one.getAttribute('href')}`);
        const pipes = topology.element.querySelectorAll('.pipe.trouble').length;
        const listed = itemsOf(model, { condition: 'trouble' }).length;
        const count_ = row.querySelector('b').textContent;
        return [before, shown() > 5, trouble.count(), count_, links.length, links[0], links.at(-1), pipes, listed];
    """) == [
        [0, 0], True, 20, "60", 6, "t/s80 #/session/t/s80", "15 more #/tunnels?condition=trouble", 1, 21,
    ]  # fmt: skip


def test_search_finds_a_session_as_it_is_written_everywhere(run: Any) -> None:
    assert run("""
        add('t3', ...names(9)); add('t4', ...names(9));
        const found = (words) => itemsOf(model, { words }).filter((one) => one.session).length;
        return ['t3/s5', 's5', 't4 s5', 't3/s'].map(found);
    """) == [1, 2, 1, 9]  # fmt: skip


def test_advice_is_in_the_pages_words(run: Any) -> None:
    """Beside buttons nobody wants commands: whatever the service says of them is the button that does the same."""
    told = {
        "`l2tpctl confirm` keeps it, `l2tpctl rollback` undoes it": "“Keep it” keeps it, “Undo now” undoes it",
        "`l2tpctl tunnel set a --encap ip` first": "“Change”, on the page of tunnel a, to “Carried over” ip first",
        "`l2tpctl restore siteb` brings it back": "“Restore”, on the page Host, brings it back",
        "has no program: `l2tpctl restore` mends that": "has no program: “Restore”, on the page Host, mends that",
        "`l2tpctl session del siteb lan` removes it": "“Remove”, on the page of session siteb/lan, removes it",
        "`l2tpctl session set site-b lan` changes it": "“Change”, on the page of session site-b/lan, changes it",
        "`l2tpctl link set a-b --mtu 9000` first": "“Change”, on the page of link a-b, to “MTU” 9000 first",
        "`l2tpctl link show` lists them": "the page Links lists them",
        "give another --local-port": "give another “Local UDP port”",
        "give 8 or 16 hex digits, @FILE that holds them, or none": "give 8 or 16 hex digits, or none",
    }
    script = "await import('/dashboard/forms.js'); const { onThisPage } = await import('/dashboard/words.js');"
    assert run(f"{script} return {list(told)!r}.map(onThisPage)") == list(told.values())


def test_a_page_asks_for_what_it_shows(run: Any) -> None:
    assert run("""
        const { eventsUrl } = await import('/dashboard/asking.js');
        const page = (name) => ({ rates: true, shows: () => ({ sessions: [{ tunnel: 't', name }] }) });
        add('t', ...names(9));
        const few = eventsUrl(page('s1'), model);
        add('u', ...names(100));
        return [few, eventsUrl(page('s1'), model), eventsUrl({ rates: true }, model), eventsUrl({}, model)];
    """) == [
        "v1/events?counters=1", "v1/events?counters=1&session=t%2Fs1", "v1/events?counters=1", "v1/events?counters=10",
    ]  # fmt: skip


def test_a_list_is_sorted_by_a_column(run: Any) -> None:
    assert run("""
        const { Order } = await import('/dashboard/rows.js');
        add('a', 'x', 'y'); add('b', 'x');
        const unheard = { rx_packets: 0 }; // two of these are not worse than one error
        count(0, { 'a/x': unheard, 'a/y': unheard });
        count(1, { 'a/x': unheard, 'a/y': { ...unheard, rx_bytes: 50 }, 'b/x': { rx_bytes: 90, rx_errors: 1 } });
        const order = new Order();
        const listed = () => itemsOf(model, { order }).map((one) => one.tunnel?.name ?? one.session.name).join(' ');
        const found = [listed()];
        for (const by of ['rx', 'rx', 'bad', 'name', 'name']) { order.turn(by); found.push(listed()); }
        return found;
    """) == ["a x y b x", "b x a y x", "a x y b x", "b x a x y", "a x y b x", "b x a y x"]  # fmt: skip
