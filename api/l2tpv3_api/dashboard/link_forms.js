// Forms to add and change links: what every link has, and what its type has.

import { path, send } from './api.js';
import { confirm, field, notice } from './dialog.js';
import { h } from './dom.js';
import { FORMS, LINK_TYPES, OF_EVERY_LINK } from './fields.js';
import { edit, form, make, NAME } from './forms.js';
import { learnLabels } from './words.js';

const TRANSIENT = { name: 'transient', label: 'Forget at the next boot', kind: 'switch' };

const plainOf = (type) => FORMS[type].filter(({ rare }) => !rare);
const moreOf = (type) => FORMS[type].filter(({ rare }) => rare);

learnLabels(LINK_TYPES.flatMap(([type]) => FORMS[type]).filter(({ name }) => !['id', 'vlan'].includes(name) && (!OF_EVERY_LINK.includes(name) || name.startsWith('over'))));

/** A form for a new link; its fields follow the type. What was typed stays, where the other type has it too. */
export function addLink(over = '') {
  const type = field({ name: 'type', label: 'Type', kind: 'select', options: LINK_TYPES, required: true });
  const name = field(NAME);
  const plain = h('div', { class: 'fields wide' });
  const more = h('div', { class: 'fields' });
  let own = [];
  let folded = [];
  const build = () => {
    const typed = new Map([...own, ...folded].map((one) => [`${one.spec.kind ?? ''} ${one.spec.name}`, one.spec.kind === 'switch' ? one.input.checked : one.input.value]));
    const make = (spec) => {
      const before = spec.kind === 'select' ? undefined : typed.get(`${spec.kind ?? ''} ${spec.name}`);
      return field(spec, before ?? (spec.name === 'over' ? over : spec.initial));
    };
    own = plainOf(type.input.value).map(make);
    folded = [...moreOf(type.input.value), TRANSIENT].map(make);
    plain.replaceChildren(...own.map((one) => one.element));
    more.replaceChildren(...folded.map((one) => one.element));
  };
  type.input.addEventListener('change', build);
  build();
  form('Add link', 'Add', { fields: () => [name, type, ...own, ...folded], plain: [h('div', { class: 'fields' }, name.element, type.element), plain], more }, async ({ name: called, ...words }) => {
    await make('link', called, (one) => path('links', one), words);
    notice(`Link ${called} is made.`);
    location.hash = `#/link/${encodeURIComponent(called)}`;
  });
}

/** A form to change a link, as it is on record now. */
export const editLink = (name) => edit(`Change link ${name}`, path('links', name), ({ type }) => plainOf(type), ({ type }) => moreOf(type));

/** Ask, then remove a link. */
export function removeLink(name, ifname) {
  confirm(`Remove link ${name}?`, [ifname ? `Its netdev ${ifname} goes with it, at once. What it is over stays.` : 'What it is over stays.'], 'Remove', async () => {
    await send('DELETE', path('links', name));
    notice(`Link ${name} is removed.`);
    location.hash = '#/links';
  });
}
