// What is wrong, why that may be, and where.

import { h, state, text } from './dom.js';
import { count } from './format.js';
import { TROUBLE } from './history.js';
import { LINK_TROUBLE } from './link_counters.js';
import { keyOf } from './model.js';

const SHOWN = 12;
const CONDITIONS = {
  missing: 'On record, but not running: the machine was restarted, or a worker died. “Restore”, on the page Host, brings it back.',
  incomplete: 'Making or removing it was interrupted half-way. Remove it, or restore.',
  down: 'Its netdev is set down.',
};

/** A panel that lists all trouble of the model. */
export function troublePanel(model) {
  const list = h('ul', { class: 'troubles' });
  const more = h('p', { class: 'dim' });
  const aloud = h('p', { class: 'unseen', 'aria-live': 'polite' });
  const element = h('section', { class: 'panel', 'aria-labelledby': 'trouble-title' }, h('header', { class: 'bar' }, h('h2', { id: 'trouble-title' }, 'Trouble')), list, more, aloud);
  let found = [];
  let before = null;
  let counts = [];
  return {
    element,
    count: () => found.length,
    update() {
      found = model.troubles();
      const shown = found.slice(0, SHOWN);
      const said = shown.map((one) => `${hrefOf(one)} ${one.counter ?? one.condition}`).join('\n');
      if (said !== before) { // the rows stay as they are while only their numbers grow: focus stays, too
        if (before !== null) text(aloud, found.length ? `Trouble: ${shown.map(wordsOf).join(', ')}` : 'No trouble any more');
        before = said;
        counts = [];
        list.replaceChildren(...(shown.length ? shown.map((one) => row(one, counts)) : [h('li', { class: 'empty good' }, 'None: all that is on record is up, and no counter of errors has grown in the last half minute.')]));
      }
      shown.forEach((one, i) => { if (counts[i]) text(counts[i], count(one.count)); });
      text(more, found.length > SHOWN ? `and ${count(found.length - SHOWN)} more` : '');
    },
  };
}

const hrefOf = ({ tunnel, session, link }) => (link ? `#/link/${encodeURIComponent(link.name)}` : session ? `#/session/${encodeURIComponent(session.tunnel)}/${encodeURIComponent(session.name)}` : `#/tunnel/${encodeURIComponent(tunnel.name)}`);

const nameOf = ({ tunnel, session, link }) => (link ? `link ${link.name}` : session ? keyOf(session.tunnel, session.name) : tunnel.name);

const counterOf = ({ link, counter }) => (link ? LINK_TROUBLE : TROUBLE)[counter];

const wordsOf = (one) => `${nameOf(one)}: ${one.counter ? counterOf(one)[0] : one.condition}`;

function row(one, counts) {
  const name = nameOf(one);
  const number = one.counter ? h('b', { class: 'num' }) : null;
  counts.push(number);
  return h('li', { class: one.counter ? 'trouble' : one.condition, 'data-trouble': one.counter ?? one.condition },
    h('div', { class: 'line' }, state(one.counter ? 'trouble' : one.condition, one.counter ? counterOf(one)[0] : one.condition), h('a', { href: hrefOf(one), class: 'mono' }, name), number),
    h('p', { class: 'hint' }, one.counter ? counterOf(one)[1] : CONDITIONS[one.condition]));
}
