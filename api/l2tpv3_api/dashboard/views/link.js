// One link: what it is, what it is over, what is over it, what it does, what can be done with it.

import { h, state, text } from '../dom.js';
import { bits, bytes, count, packets } from '../format.js';
import { History } from '../history.js';
import { LINK_TROUBLE, LINK_TROUBLES } from '../link_counters.js';
import { editLink, removeLink } from '../link_forms.js';
import { action } from '../lists.js';
import { byName } from '../model.js';
import { pair } from '../plot.js';
import { onThisPage } from '../words.js';
import { crumbsOf, gone, put } from './detail.js';
import { facts } from './facts.js';

const DIRECTIONS = [['packets', 'packets'], ['bytes', 'bytes'], ['dropped', 'dropped'], ['errors', 'errors']];

export function link(app, [name]) {
  const { model } = app;
  const head = h('div', { class: 'head' });
  const plots = pair(bits, packets);
  const about = h('section', { class: 'panel', 'aria-labelledby': 'about-title' });
  const layered = h('section', { class: 'panel', 'aria-labelledby': 'layered-title' });
  const numbers = counters();
  const body = h('div', {}, numbers.advice, h('div', { class: 'plots' }, plots.map((one) => one.element)), h('div', { class: 'columns' }, numbers.element, h('div', { class: 'stack' }, layered, about)));
  const where = () => crumbsOf(['Links', '#/links'], [name]);
  let plotted = null;

  function build() {
    const one = model.links.get(name);
    body.hidden = !one;
    if (!one) { put(head, 'gone', () => [where(), gone(`Link ${name}`, '#/links', 'All links')]); return; }
    const looks = model.looksOf(one);
    put(head, looks, () => [where(), h('div', { class: 'title' }, h('h1', {}, h('span', {}, name), state(looks)), buttons(one))]);
    about.replaceChildren(h('header', { class: 'bar' }, h('h2', { id: 'about-title' }, 'About')), facts(aboutLink(one)), ...one.notes.map((note) => h('p', { class: 'hint' }, onThisPage(note))));
    layered.replaceChildren(h('header', { class: 'bar' }, h('h2', { id: 'layered-title' }, 'Layers')), list('Over', beneath(model, one)), list('On top of it', above(model, one)));
    numbers.update(model, one);
    const lately = model.lately.get(`l ${name}`)?.history ?? new History();
    if (plotted !== lately) { plotted = lately; plots.forEach((plot) => plot.show(lately)); }
  }
  function buttons(one) {
    if (!app.may('write')) return null;
    return h('div', { class: 'buttons' }, action('edit', 'Change', () => editLink(name)), action('remove', 'Remove', () => removeLink(name, one.ifname), 'danger'));
  }
  return {
    element: h('div', { class: 'view' }, head, body),
    title: `Link ${name}`,
    rates: true,
    shows: () => ({ links: [name] }),
    shown: build,
    update(what) {
      const one = model.links.get(name);
      if (what.has('structure') || (one && model.looksOf(one) !== head.dataset.said)) build();
      else if (what.has('rates') && one) numbers.update(model, one);
      if (what.has('rates')) plots.forEach((plot) => plot.update());
      if (what.has('theme')) plots.forEach((plot) => plot.recolour());
    },
    destroy() { plots.forEach((plot) => plot.destroy()); },
  };
}

const hrefOf = (model, over) => {
  if (model.sessions.has(over)) return `#/session/${over.split('/').map(encodeURIComponent).join('/')}`;
  return model.links.has(over) ? `#/link/${encodeURIComponent(over)}` : null;
};

/** What it is over, and sessions that joined it by themselves. */
function beneath(model, one) {
  const named = [...one.over, ...model.bridged(one).map((session) => `${session.tunnel}/${session.name}`)];
  const missing = new Set(one.notes.filter((note) => note.endsWith(' is not there')).map((note) => note.slice(0, -13)));
  return [...new Set(named)].map((over) => [over, hrefOf(model, over), missing.has(over) ? 'missing' : null]);
}

const above = (model, one) => [...model.links.values()].filter((other) => other.over.includes(one.name)).map((other) => other.name).sort(byName).map((name) => [name, hrefOf(model, name), null]);

function list(title, items) {
  return h('div', {}, h('h3', {}, title), h('ul', { class: 'plain' }, items.length ? items.map(([words, href, wrong]) => h('li', {}, href ? h('a', { href, class: 'mono' }, words) : h('span', { class: 'mono' }, words), wrong ? [' ', state(wrong)] : null)) : h('li', { class: 'dim' }, 'nothing')));
}

const COMMON = new Set(['name', 'type', 'over', 'ifname', 'over_netns', 'netns', 'mac', 'mtu', 'address', 'up']);

function aboutLink(one) {
  const { netdev, wanted } = one;
  const own = Object.entries(wanted).filter(([word, value]) => !COMMON.has(word) && value !== null && !(Array.isArray(value) && !value.length));
  const seen = (word, value) => (word in one.seen && one.seen[word] !== null && String(one.seen[word]) !== String(value) ? ` (now ${said(one.seen[word])})` : '');
  return [
    ['type', one.type],
    ['netdev', one.ifname ? `${netdev?.ifname ?? one.ifname}${netdev ? `, ${netdev.up ? 'up' : 'down'}${netdev.up && !netdev.carrier ? ', no carrier' : ''}` : ', not there'}` : null],
    ['over now', one.over_now.join(' ') || 'nothing'], ['namespace beneath', one.over_netns],
    ['addresses', (netdev?.addresses ?? []).join(' ')], ['MTU', netdev ? String(netdev.mtu) : null], ['MAC address', netdev?.mac ?? one.mac], ['namespace', netdev?.netns],
    ['worker', one.worker_pid ? `pid ${one.worker_pid}` : null], ['at the next boot', one.transient ? 'forgotten' : null],
    ...own.map(([word, value]) => [word.replaceAll('_', ' '), `${said(value)}${seen(word, value)}`]),
  ];
}

const said = (value) => (value === true ? 'on' : value === false ? 'off' : Array.isArray(value) ? value.join(' ') : String(value));

/** Traffic, and what means trouble in it. */
function counters() {
  const cells = {};
  const cell = (name) => { cells[name] = h('td', { class: 'num' }); return cells[name]; };
  const table = h('table', { class: 'bad-counters' }, h('caption', {}, 'Of its netdev; of a port, in and out at its first end'),
    h('thead', {}, h('tr', {}, h('td', {}), h('th', { scope: 'col' }, 'in'), h('th', { scope: 'col' }, 'out'))),
    h('tbody', {}, DIRECTIONS.map(([word, label]) => h('tr', { 'data-counter': word }, h('th', { scope: 'row' }, label), cell(`rx_${word}`), cell(`tx_${word}`)))));
  const rest = h('p', { class: 'hint' });
  const advice = h('div', { class: 'advice', 'aria-live': 'polite' });
  return {
    element: h('section', { class: 'panel', 'aria-labelledby': 'counters-title' }, h('header', { class: 'bar' }, h('h2', { id: 'counters-title' }, 'Counters')), table, rest),
    advice,
    update(model, one) {
      const now = model.linkCounters(one);
      const growing = model.linkGrowing(one);
      for (const [name, node] of Object.entries(cells)) text(node, name.endsWith('bytes') && now[name] > 99999 ? bytes(now[name]) : count(now[name]));
      table.querySelector('[data-counter=errors]').classList.toggle('growing', growing.length > 0);
      text(rest, Object.entries(now).filter(([name]) => !(name in cells)).map(([name, value]) => `${name.replaceAll('_', ' ')}: ${count(value)}`).join(' · '));
      const words = LINK_TROUBLES.filter((name) => growing.includes(name)).map((name) => `${LINK_TROUBLE[name][0]}: ${LINK_TROUBLE[name][1]}`);
      if (advice.dataset.said !== words.join()) {
        advice.dataset.said = words.join();
        advice.replaceChildren(...words.map((one_) => h('p', { class: 'alert' }, one_)));
      }
    },
  };
}
