// The list of tunnels and sessions, as rows: a tunnel, then its sessions.

import { notice } from './dialog.js';
import { h, icon, mark, text } from './dom.js';
import { bits, cut, many, packets, si } from './format.js';
import { badness } from './history.js';
import { MARKS, RANK, wordOf } from './looks.js';
import { byName, keyOf } from './model.js';
import { Rows } from './rows.js';

export const HEAD = [['Name', 'c-name', 'name'], ['Netdev, peer', 'c-netdev'], ['In', 'c-num', 'rx'], ['Out', 'c-num', 'tx'], ['Packets', 'c-num c-packets', 'packets'], ['Trouble', 'c-bad', 'bad'], ['Joined to', 'c-joined']];

export const wide = matchMedia('(min-width: 760px)');

/** Rows for tunnels and sessions of the model. order, sorted: see Rows. */
export function makeRows(model, label, order = null, sorted = null) {
  return new Rows({
    label,
    order,
    sorted,
    head: HEAD,
    height: () => (wide.matches ? 38 : 58),
    key: (item) => (item.tunnel ? `t ${item.tunnel.name}` : `s ${keyOf(item.session.tunnel, item.session.name)}`),
    render: (item) => (item.tunnel ? tunnelRow(model) : sessionRow(model)),
  });
}

/** What to show: {text, condition} narrow it down; a tunnel is shown when it, or any of its sessions, fits. */
export function itemsOf(model, { words = '', condition = '', only = null, order = null } = {}) {
  const found = [];
  const wanted = words.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const groups = model.grouped();
  const names = [...model.tunnels.keys()].sort(byName);
  if (order && (order.by !== 'name' || order.down)) {
    const value = (session) => valueOf(model, session, order.by);
    const together = order.by === 'bad' ? (values) => Math.max(0, ...values) : (values) => values.reduce((sum, one) => sum + one, 0); // the worst of all
    const sums = new Map(names.map((name) => [name, together(groups.get(name).map(value))]));
    const turned = order.down ? -1 : 1;
    if (order.by === 'name') { names.reverse(); for (const group of groups.values()) group.reverse(); } else {
      names.sort((a, b) => turned * (sums.get(a) - sums.get(b)));
      for (const group of groups.values()) group.sort((a, b) => turned * (value(a) - value(b)));
    }
  }
  for (const name of names) {
    if (only && name !== only) continue;
    const tunnel = model.tunnels.get(name);
    const self = `${name} ${tunnel.remote} ${tunnel.datapath} ${tunnel.encap}`.toLowerCase();
    const sessions = groups.get(name).filter((session) => {
      const line = `${self} ${session.name} ${keyOf(name, session.name)} ${session.ifname} ${session.netdev?.bridge ?? ''} ${(session.netdev?.addresses ?? []).join(' ')}`.toLowerCase();
      return wanted.every((word) => line.includes(word)) && fits(model, session, condition);
    });
    const own = wanted.every((word) => self.includes(word)) && (!condition || model.looksOfTunnel(tunnel, groups.get(name)) === condition);
    if (!own && !sessions.length) continue;
    if (!only) found.push({ tunnel, count: groups.get(name).length, sessions: groups.get(name) });
    for (const session of sessions) found.push({ session });
  }
  return found;
}

/** What a session is sorted by: a rate, or how much trouble it is in. */
function valueOf(model, session, by) {
  if (by === 'bad') return (RANK.up - RANK[model.looksOfSession(session)]) * 1e15 + badness(model.counters(session));
  const rates = model.rates(session);
  return !rates ? 0 : by === 'packets' ? rates.rxp + rates.txp : rates[by] ?? 0;
}

function fits(model, session, condition) {
  return !condition || model.looksOfSession(session) === condition;
}

function tunnelRow(model) {
  const link = h('a', { class: 'c-name', role: 'rowheader' });
  const cells = { peer: h('span', { role: 'cell', class: 'c-netdev mono' }), rx: num(), tx: num(), p: num(), bad: h('span', { role: 'cell', class: 'c-bad' }), joined: h('span', { role: 'cell', class: 'c-joined dim' }) };
  const name = h('span', { role: 'cell', class: 'c-name' }, link);
  const element = h('div', { class: 'row tunnel', role: 'row' }, name, cells.peer, cells.rx, cells.tx, cells.p, cells.bad, cells.joined);
  cells.p.classList.add('c-packets');
  link.removeAttribute('role');
  return {
    element,
    update({ tunnel, sessions }) {
      const looks = model.looksOfTunnel(tunnel, sessions);
      const said = `${looks} ${tunnel.name}`;
      if (link.dataset.said !== said) {
        link.dataset.said = said;
        link.href = `#/tunnel/${encodeURIComponent(tunnel.name)}`;
        link.replaceChildren(shape(looks), tunnel.name);
      }
      const wrong = sessions.filter((one) => RANK[model.looksOfSession(one)] <= RANK.trouble).length;
      text(cells.bad, wrong ? `${MARKS.trouble} ${wrong} of ${sessions.length}` : '');
      cells.bad.classList.toggle('growing', wrong > 0);
      text(cells.peer, tunnel.remote);
      const sum = { rx: 0, tx: 0, rxp: 0, txp: 0 };
      for (const session of sessions) {
        const rates = model.rates(session);
        if (rates) for (const key of Object.keys(sum)) sum[key] += rates[key];
      }
      text(cells.rx, sum.rx ? bits(sum.rx) : '');
      text(cells.tx, sum.tx ? bits(sum.tx) : '');
      text(cells.p, sum.rxp + sum.txp ? packets(sum.rxp + sum.txp) : '');
      text(cells.joined, `${many(sessions.length, 'session')} · ${tunnel.encap} · ${tunnel.datapath}`);
    },
  };
}

const num = () => h('span', { role: 'cell', class: 'c-num num' });

/** A state's shape, and its word for those who can't see it. */
function shape(condition) {
  return h('span', { class: 'shape' }, mark(condition), h('span', { class: 'unseen' }, `${wordOf(condition)}: `));
}

function sessionRow(model) {
  const link = h('a', {});
  const name = h('span', { role: 'cell', class: 'c-name' }, link);
  const netdev = h('span', { role: 'cell', class: 'c-netdev mono dim' });
  const rx = num();
  const tx = num();
  const p = num();
  p.classList.add('c-packets');
  const bad = h('span', { role: 'cell', class: 'c-bad num' });
  const joined = h('span', { role: 'cell', class: 'c-joined mono dim' });
  const element = h('div', { class: 'row session', role: 'row' }, name, netdev, rx, tx, p, bad, joined);
  return {
    element,
    update({ session }) {
      const growing = model.growing(session).length > 0;
      const looks = model.looksOfSession(session);
      const said = `${looks} ${session.tunnel}/${session.name}`;
      if (link.dataset.said !== said) {
        link.dataset.said = said;
        link.href = `#/session/${encodeURIComponent(session.tunnel)}/${encodeURIComponent(session.name)}`;
        link.replaceChildren(shape(looks), session.name);
      }
      text(netdev, session.ifname);
      const rates = model.rates(session);
      text(rx, rates ? `${bits(rates.rx)}` : '–');
      text(tx, rates ? `${bits(rates.tx)}` : '–');
      text(p, rates ? packets(rates.rxp + rates.txp) : '–');
      const amount = badness(model.counters(session));
      text(bad, looks === 'silent' ? wordOf(looks) : amount ? `${growing ? `${MARKS.trouble} ` : ''}${si(amount)}` : '');
      bad.classList.toggle('silent', looks === 'silent');
      bad.classList.toggle('growing', growing);
      text(joined, joinedTo(session));
    },
  };
}

/** A bridge, a namespace, addresses: in a few words. */
export function joinedTo(session) {
  const { netdev } = session;
  const found = [];
  const bridge = netdev?.bridge ?? session.wanted?.bridge;
  if (bridge) found.push(`⊞ ${bridge}`);
  const netns = netdev?.netns ?? session.wanted?.netns;
  if (netns) found.push(`⧉ ${netns}`);
  for (const address of netdev?.addresses ?? []) if (!address.startsWith('fe80')) found.push(address);
  return cut(found.join('  '), 48);
}

/** A button that looks like all the others: action('plus', 'Add tunnel', f). */
export const action = (name, words, onclick, className = '') => h('button', { type: 'button', class: `button ${className}`, onclick }, name ? icon(name) : null, words);

/** A button that may not be pressed: it can be reached, and says why. */
export const barred = (name, words, reason) => h('button', { type: 'button', class: 'button', 'aria-disabled': 'true', title: reason, onclick: () => notice(reason, 'bad') }, name ? icon(name) : null, words);
