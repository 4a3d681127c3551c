// All links, to look through.

import { h, text } from '../dom.js';
import { LINK_TYPES } from '../fields.js';
import { count, many } from '../format.js';
import { Layers } from '../layers.js';
import { addLink } from '../link_forms.js';
import { linksOf, makeLinkRows } from '../link_rows.js';
import { action } from '../lists.js';
import { CONDITIONS } from '../looks.js';
import { Order } from '../rows.js';

const order = new Order();

export function links(app, _, query) {
  const { model } = app;
  const layers = new Layers(model, { all: false });
  const rows = makeLinkRows(model, 'Links', order, () => list());
  const options = (pairs) => pairs.map(([word, label]) => h('option', { value: word }, label));
  const search = h('input', { type: 'search', id: 'search', placeholder: 'name, netdev, what it is over …', autocomplete: 'off', spellcheck: 'false', oninput: () => list() });
  const type = h('select', { id: 'type', onchange: () => list() }, options([['', 'any type'], ...LINK_TYPES.map(([word]) => [word, word])]));
  const condition = h('select', { id: 'condition', onchange: () => list() }, options(CONDITIONS.filter(([word]) => word !== 'silent')));
  condition.value = query.get('condition') ?? '';
  const found = h('p', { class: 'dim', role: 'status' });
  const empty = h('p', { class: 'empty', hidden: true });
  const element = h('div', { class: 'view' },
    h('div', { class: 'title' }, h('h1', {}, 'Links'), app.may('write') ? action('plus', 'Add link', () => addLink(), 'primary') : null),
    layers.element,
    h('div', { class: 'filters', role: 'search' }, h('label', { for: 'search', class: 'unseen' }, 'Search'), search,
      h('label', { for: 'type', class: 'unseen' }, 'Type'), type, h('label', { for: 'condition', class: 'unseen' }, 'State'), condition, found),
    h('div', { class: 'panel flush' }, rows.element, empty));

  function list() {
    const shown = linksOf(model, { words: search.value, type: type.value, condition: condition.value, order });
    rows.show(shown);
    const narrowed = search.value || type.value || condition.value;
    text(found, narrowed ? `${many(shown.length, 'link')} of ${count(model.links.size)}` : many(model.links.size, 'link'));
    empty.hidden = shown.length > 0 || !model.loaded;
    rows.element.hidden = shown.length === 0;
    text(empty, narrowed ? 'Nothing is like that.' : 'No links yet: netdevs that are layered over others, as a bridge over a session and a network card.');
  }
  return {
    element,
    title: 'Links',
    rates: true,
    shown() { layers.draw(); list(); },
    update(what) {
      if (what.has('structure')) { layers.draw(); list(); }
      else if (what.has('rates')) { layers.rates(); if (condition.value || order.by !== 'name') list(); else rows.update(); }
    },
    destroy() { layers.destroy(); rows.destroy(); },
  };
}
