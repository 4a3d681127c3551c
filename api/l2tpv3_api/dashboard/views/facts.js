// What is known of a thing, as pairs.

import { h } from '../dom.js';
import { FORMS } from '../fields.js';

/** Pairs of a name and a value, null values left out; a third word "wide" gives one the whole row. */
export function facts(pairs) {
  return h('dl', { class: 'facts' }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== '').map(([name, value, className]) => h('div', { class: className }, h('dt', {}, name), h('dd', { class: 'mono pre' }, value))));
}

/** Pairs for the words, as wanted, of which the page tells nothing else. kind: of the form; told: the words that it tells. */
export const otherWords = (kind, wanted, told) => FORMS[kind].filter(({ name }) => !told.has(name)).map(({ name, label }) => [label.toLowerCase(), wanted?.[name], 'wide']);
