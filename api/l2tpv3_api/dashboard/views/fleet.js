// The fleet: its hosts and pseudowires, as a map and as tables, by what the service's last look saw.

import { ask, problemOf, told } from '../api.js';
import { h, text } from '../dom.js';
import { fleetMap, looksOfEnd, looksOfHost, looksOfWire, SHAPES, WORDS } from '../fleet_map.js';
import { age, clock, count, many } from '../format.js';

const SOON_MS = 2000;
const AGAIN_MS = 10000;
const ROWS = 200;

export function fleet() {
  const status = h('p', { class: 'dim', role: 'status' }, 'Looking …');
  const problem = h('p', { class: 'alert', role: 'alert', hidden: true });
  const picture = h('div', { class: 'panel fleet-picture' });
  const chosenPlace = h('section', { class: 'panel', 'aria-labelledby': 'chosen-title', 'aria-live': 'polite' });
  const search = h('input', { type: 'search', id: 'search', placeholder: 'host, pseudowire …', autocomplete: 'off', spellcheck: 'false', oninput: () => tables() });
  const wrongOnly = h('input', { type: 'checkbox', id: 'wrong', onchange: () => tables() });
  const hosts = table('hosts-title', 'Hosts', ['Host', 'State', 'Reached by', 'Version']);
  const wires = table('wires-title', 'Pseudowires', ['Pseudowire', 'State', 'Its ends']);
  const shown = h('div', { class: 'stack', hidden: true }, h('div', { class: 'columns fleet-columns' }, picture, chosenPlace),
    h('div', { class: 'filters', role: 'search' }, h('label', { for: 'search', class: 'unseen' }, 'Search'), search, h('label', { class: 'check' }, wrongOnly, ' only what is wrong')), wires.element, hosts.element);
  let timer = null;
  let tag = '';
  let map = null;
  let chosen = null;
  let offset = 0; // milliseconds that the service's clock is ahead of this page's

  async function load() {
    let next = AGAIN_MS;
    try {
      const response = await ask('v1/fleet', { headers: tag ? { 'If-None-Match': tag } : {}, signal: AbortSignal.timeout(AGAIN_MS) });
      if (response.ok) {
        offset = Date.parse(response.headers.get('Date') ?? '') - Date.now() || 0;
        tag = response.headers.get('ETag') ?? '';
        map = await response.json();
        draw();
      } else if (response.status !== 304) throw await problemOf(response);
      if (!map?.status && !map?.problem) next = SOON_MS;
      tell();
    } catch (failure) {
      text(status, told(failure));
    }
    if (timer !== null) timer = setTimeout(load, next);
  }
  /** When the last look was; this grows by itself. */
  function tell() {
    if (!map?.status) { text(status, map?.problem ? '' : 'Looking at all hosts for the first time …'); return; }
    const ago = Math.max(0, (Date.now() + offset - Date.parse(map.looked_at)) / 1000);
    const all = map.status;
    text(status, `${many(all.hosts.length, 'host')}, ${many(all.wires.length, 'pseudowire')}; looked at ${age(ago)} ago (${clock(new Date(map.looked_at))}), which took ${map.took_s.toFixed(1)} s.`);
  }
  function draw() {
    problem.hidden = !map.problem;
    text(problem, map.problem ? `The last look failed: ${map.problem}` : '');
    shown.hidden = !map.status;
    if (!map.status) return;
    choose(chosen);
    tables();
  }
  function choose(what) {
    chosen = what;
    picture.replaceChildren(fleetMap(map.status, chosen, choose), key(map.status));
    chosenPlace.replaceChildren(...about(map.status, chosen).filter(Boolean));
  }
  function tables() {
    const words = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (one, ...texts) => (!wrongOnly.checked || !one.good) && words.every((word) => texts.join(' ').toLowerCase().includes(word));
    const worst = (a, b) => Number(a.good) - Number(b.good);
    hosts.show(map.status.hosts.filter((one) => fits(one, one.name, one.reach)).sort(worst), (one) => h('tr', {}, h('th', { scope: 'row' }, link(one.name, { host: one.name })), h('td', {}, mark(looksOfHost(one)), ' ', one.state), h('td', { class: 'mono' }, one.reach), h('td', { class: 'mono' }, one.version ?? '–')));
    wires.show(map.status.wires.filter((one) => fits(one, one.name)).sort(worst), (one) => h('tr', {}, h('th', { scope: 'row' }, link(one.name, { wire: one.name })), h('td', {}, mark(looksOfWire(one)), ' ', WORDS[looksOfWire(one)]), h('td', {}, one.ends.map((end) => h('div', {}, h('span', { class: 'mono' }, end.host), `: ${sayEnd(end)}`)))));
  }
  const link = (words, what) => h('button', { type: 'button', class: 'choice mono', onclick: () => { choose(what); picture.scrollIntoView({ block: 'nearest' }); } }, words);
  return {
    element: h('div', { class: 'view' }, h('div', { class: 'title' }, h('h1', {}, 'Fleet'), status), problem, shown),
    title: 'Fleet',
    shown() { timer = 0; load(); },
    update() { tell(); },
    destroy() { clearTimeout(timer); timer = null; },
  };
}

const mark = (looks) => h('span', { class: `mark ${looks}`, 'aria-hidden': 'true' }, SHAPES[looks]);

/** A table of which the first rows are in the document, and how many more there are. */
function table(id, title, heads) {
  const body = h('tbody', {});
  const more = h('p', { class: 'hint' });
  return {
    element: h('section', { class: 'panel', 'aria-labelledby': id }, h('header', { class: 'bar' }, h('h2', { id }, title)),
      h('div', { class: 'scroll', role: 'region', 'aria-label': `Table: ${title}`, tabindex: 0 }, h('table', { class: 'listing' }, h('thead', {}, h('tr', {}, heads.map((one) => h('th', { scope: 'col' }, one)))), body)), more),
    show(items, row) {
      const focused = body.contains(document.activeElement) ? document.activeElement.textContent : null; // stays where it was
      body.replaceChildren(...items.slice(0, ROWS).map(row));
      if (focused !== null) [...body.querySelectorAll('button')].find((one) => one.textContent === focused)?.focus({ preventScroll: true });
      text(more, !items.length ? 'Nothing is like that.' : items.length > ROWS ? `${count(items.length - ROWS)} more are not shown: search for them.` : '');
    },
  };
}

/** What one end says, in a few words. */
function sayEnd({ condition, hearing, last_received_s: last, mtu, notes }) {
  const heard = { heard: 'hears the other end', unheard: 'hears nothing', dead: 'takes the other end for dead' }[hearing];
  return [condition, heard, last === null ? null : `last packet ${age(last)} before the look`, mtu === null ? null : `MTU ${mtu}`, ...notes].filter(Boolean).join(', ');
}

/** What is chosen, or what is wrong where nothing is. */
function about({ hosts, wires }, chosen) {
  const title = (words) => h('header', { class: 'bar' }, h('h2', { id: 'chosen-title' }, words));
  const wire = wires.find((one) => one.name === chosen?.wire);
  if (wire) return [title(wire.name), ...wire.ends.map((end) => endPart(end)), apart(wire)];
  const host = hosts.find((one) => one.name === chosen?.host);
  if (host) {
    const own = wires.filter(({ ends }) => ends.some((end) => end.host === host.name));
    const wrong = own.filter((one) => !one.good);
    return [title(host.name), h('p', {}, mark(looksOfHost(host)), ` ${host.state}`), h('p', { class: 'hint' }, `Reached by ${host.reach}. ${many(own.length, 'pseudowire')}, ${wrong.length ? `${count(wrong.length)} of which not up` : 'all of them up'}.`), wrongList(wrong)];
  }
  const wrong = wires.filter((one) => !one.good);
  const lost = hosts.filter((one) => !one.good);
  if (!wrong.length && !lost.length) return [title('All is well'), h('p', {}, 'All hosts are as committed, and all pseudowires are up. Click on a host or a line, or choose one in the tables.')];
  return [title('What is wrong'), h('ul', { class: 'plain' }, lost.slice(0, 10).map((one) => h('li', {}, mark(looksOfHost(one)), ' ', h('b', { class: 'mono' }, one.name), `: ${one.state}`))), wrongList(wrong)];
}

function endPart(end) {
  const looks = looksOfEnd(end);
  return h('section', { class: 'end', 'aria-label': `The end at ${end.host}` }, h('h3', {}, mark(looks), ' ', h('span', { class: 'mono' }, end.host)), h('p', {}, sayEnd(end)));
}

function apart({ ends: [a, b] }) {
  return a.mtu !== null && b.mtu !== null && a.mtu !== b.mtu ? h('p', { class: 'alert' }, `The MTU is ${a.mtu} at ${a.host} and ${b.mtu} at ${b.host}: larger frames pass one way alone.`) : null;
}

function wrongList(wires) {
  return h('ul', { class: 'plain' }, wires.slice(0, 10).map((one) => h('li', {}, mark(looksOfWire(one)), ' ', h('b', { class: 'mono' }, one.name), `: ${one.ends.map((end) => `${end.host} ${WORDS[looksOfEnd(end)]}`).join(', ')}`)),
    wires.length > 10 ? h('li', { class: 'dim' }, `and ${count(wires.length - 10)} more`) : null);
}

/** What the shapes stand for, with how many wires look so. */
function key({ wires }) {
  const counts = new Map();
  for (const wire of wires) counts.set(looksOfWire(wire), (counts.get(looksOfWire(wire)) ?? 0) + 1);
  return h('p', { class: 'key' }, [...counts].map(([looks, number]) => h('span', { class: `state ${looks}` }, mark(looks), `${count(number)} ${WORDS[looks]}`)));
}
