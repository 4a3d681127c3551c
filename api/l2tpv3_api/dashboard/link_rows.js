// The list of links, as rows.

import { h, mark, text } from './dom.js';
import { bits, cut, packets, si } from './format.js';
import { LINK_TROUBLES } from './link_counters.js';
import { MARKS } from './looks.js';
import { byName } from './model.js';
import { wide } from './lists.js';
import { Rows } from './rows.js';

const HEAD = [['Name', 'c-name', 'name'], ['Type, netdev', 'c-netdev'], ['In', 'c-num', 'rx'], ['Out', 'c-num', 'tx'], ['Packets', 'c-num c-packets', 'packets'], ['Trouble', 'c-bad', 'bad'], ['Over', 'c-joined']];

/** Rows for links of the model. */
export const makeLinkRows = (model, label, order, sorted) => new Rows({
  label,
  order,
  sorted,
  head: HEAD,
  height: () => (wide.matches ? 38 : 58),
  key: (link) => `l ${link.name}`,
  render: () => row(model),
});

/** Those that fit: words are looked for in names, types, netdevs, addresses and what they are over. */
export function linksOf(model, { words = '', type = '', condition = '', order = null } = {}) {
  const wanted = words.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const found = [...model.links.values()].filter((link) => {
    const line = `${link.name} ${link.type} ${link.ifname ?? ''} ${link.over.join(' ')} ${(link.netdev?.addresses ?? []).join(' ')}`.toLowerCase();
    return wanted.every((word) => line.includes(word)) && (!type || link.type === type) && (!condition || model.looksOf(link) === condition);
  });
  found.sort((a, b) => byName(a.name, b.name));
  if (!order) return found;
  if (order.by === 'name') return order.down ? found.reverse() : found;
  return found.sort((a, b) => (order.down ? -1 : 1) * (valueOf(model, a, order.by) - valueOf(model, b, order.by)));
}

/** What a link is sorted by: a rate, or how much trouble it is in. */
function valueOf(model, link, by) {
  if (by === 'bad') return -model.rankOf(link);
  const rates = model.linkRates(link);
  return !rates ? 0 : by === 'packets' ? rates.rxp + rates.txp : rates[by] ?? 0;
}

const cell = (className) => h('span', { role: 'cell', class: className });

function row(model) {
  const link = h('a', {});
  const name = h('span', { role: 'cell', class: 'c-name' }, link);
  const [netdev, rx, tx, p, bad, over] = ['c-netdev mono dim', 'c-num num', 'c-num num', 'c-num num c-packets', 'c-bad num', 'c-joined mono dim'].map(cell);
  return {
    element: h('div', { class: 'row', role: 'row' }, name, netdev, rx, tx, p, bad, over),
    update(one) {
      const looks = model.looksOf(one);
      const said = `${looks} ${one.name}`;
      if (link.dataset.said !== said) {
        link.dataset.said = said;
        link.href = `#/link/${encodeURIComponent(one.name)}`;
        link.replaceChildren(h('span', { class: 'shape' }, mark(looks), h('span', { class: 'unseen' }, `${looks}: `)), one.name);
      }
      text(netdev, [one.type, one.ifname !== one.name && one.ifname].filter(Boolean).join(' '));
      const rates = model.linkRates(one);
      text(rx, rates ? bits(rates.rx) : '–');
      text(tx, rates ? bits(rates.tx) : '–');
      text(p, rates ? packets(rates.rxp + rates.txp) : '–');
      const counters = model.linkCounters(one);
      const amount = LINK_TROUBLES.reduce((sum, counter) => sum + (counters[counter] ?? 0), 0);
      const growing = model.linkGrowing(one).length > 0;
      text(bad, amount ? `${growing ? `${MARKS.trouble} ` : ''}${si(amount)}` : '');
      bad.classList.toggle('growing', growing);
      text(over, cut(one.over.join('  '), 48));
    },
  };
}
