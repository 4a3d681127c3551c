// All tunnels with their sessions, to look through.

import { h, text } from '../dom.js';
import { addTunnel } from '../forms.js';
import { count, many } from '../format.js';
import { action, itemsOf, makeRows } from '../lists.js';
import { CONDITIONS } from '../looks.js';
import { Order } from '../rows.js';

const order = new Order();

export function tunnels(app, _, query) {
  const { model } = app;
  const rows = makeRows(model, 'Tunnels and sessions', order, () => list());
  const search = h('input', { type: 'search', id: 'search', placeholder: 'name, peer, netdev, bridge …', autocomplete: 'off', spellcheck: 'false', oninput: () => list() });
  const condition = h('select', { id: 'condition', onchange: () => list() },
    CONDITIONS.map(([word, label]) => h('option', { value: word }, label)));
  condition.value = query.get('condition') ?? '';
  const found = h('p', { class: 'dim', role: 'status' });
  const empty = h('p', { class: 'empty', hidden: true });
  const element = h('div', { class: 'view' },
    h('div', { class: 'title' }, h('h1', {}, 'Tunnels'), app.may('write') ? action('plus', 'Add tunnel', addTunnel, 'primary') : null),
    h('div', { class: 'filters', role: 'search' },
      h('label', { for: 'search', class: 'unseen' }, 'Search'), search,
      h('label', { for: 'condition', class: 'unseen' }, 'State'), condition, found),
    h('div', { class: 'panel flush' }, rows.element, empty));

  function list() {
    const items = itemsOf(model, { words: search.value, condition: condition.value, order });
    rows.show(items);
    const sessions = items.reduce((sum, item) => sum + (item.session ? 1 : 0), 0);
    const narrowed = search.value || condition.value;
    text(found, narrowed ? `${many(sessions, 'session')} of ${count(model.sessions.size)}` : `${many(model.tunnels.size, 'tunnel')}, ${many(model.sessions.size, 'session')}`);
    empty.hidden = items.length > 0 || !model.loaded;
    rows.element.hidden = items.length === 0;
    empty.textContent = narrowed ? 'Nothing is like that.' : 'No tunnels yet.';
  }
  return {
    element,
    title: 'Tunnels',
    rates: true,
    shown() { list(); },
    update(what) {
      if (what.has('structure') || (what.has('rates') && (condition.value || order.by !== 'name'))) list();
      else if (what.has('rates')) rows.update();
    },
    destroy() { rows.destroy(); },
  };
}
