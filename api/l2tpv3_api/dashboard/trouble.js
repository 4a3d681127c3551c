// What is wrong, why that may be, and where: grouped by cause, the worst first.

import { h, state, text } from './dom.js';
import { count, many } from './format.js';
import { TROUBLE } from './history.js';
import { LINK_TROUBLE } from './link_counters.js';
import { wordOf } from './looks.js';
import { keyOf } from './model.js';

const NAMED = 5;

/** Why a thing may be in a condition, and what to do about it. */
export const WHY = {
  tunnel: {
    missing: 'On record, but not running: the machine was restarted, or its worker ended. “Restore”, on the page Host, brings it back.',
    incomplete: 'Making or removing it was interrupted half-way. Remove it, or restore everything on the page Host.',
  },
  session: {
    missing: 'On record, but not running: the machine was restarted, its tunnel’s worker ended, or its netdev was deleted. “Restore”, on the page Host, brings it back.',
    incomplete: 'Making or removing it was interrupted half-way. Remove it, or restore everything on the page Host.',
    down: 'Its netdev is set down, though it was asked to be up. “Set up”, on its page, does so.',
    silent: 'This end sends and hears nothing. The other end is not set up, has other ids or ports, or something between drops the packets: a firewall, or NAT. Compare both ends with “Peer configuration”.',
  },
  link: {
    missing: 'On record, but its netdev is not there: the machine was restarted, someone deleted it, or what it is over is gone. “Restore”, on the page Host, brings it back.',
    incomplete: 'Making or removing it was interrupted half-way, or some of what it is over is not there. Remove it, or restore everything on the page Host.',
    down: 'Its netdev is set down, though it was asked to be up. “Restore”, on the page Host, sets it up.',
  },
};

/** A panel that lists all trouble of the model. */
export function troublePanel(model) {
  const list = h('ul', { class: 'troubles' });
  const aloud = h('p', { class: 'unseen', 'aria-live': 'polite' });
  const element = h('section', { class: 'panel', 'aria-labelledby': 'trouble-title' }, h('header', { class: 'bar' }, h('h2', { id: 'trouble-title' }, 'Trouble')), list, aloud);
  let groups = [];
  let before = null;
  let counts = [];
  return {
    element,
    count: () => groups.reduce((sum, one) => sum + one.length, 0),
    update() {
      groups = grouped(model.troubles());
      const said = groups.map((group) => [causeOf(group[0]), group.length, ...group.slice(0, NAMED).map(hrefOf)].join(' ')).join('\n');
      if (said !== before) { // the rows stay as they are while only their numbers grow: focus stays, too
        const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
        if (before !== null) text(aloud, groups.length ? `Trouble: ${groups.map((group) => `${wordsOf(group[0])}, ${numberOf(group)}`).join('; ')}` : 'No trouble any more');
        before = said;
        counts = groups.map((group) => (group[0].counter ? h('b', { class: 'num' }) : null));
        list.replaceChildren(...(groups.length ? groups.map((group, i) => row(group, counts[i])) : [h('li', { class: 'empty good' }, 'None: all that is on record is as it was asked to be, no counter of errors has grown in the last half minute, and nothing that sends is left unanswered.')]));
        if (focused) [...list.querySelectorAll('a')].find((one) => one.getAttribute('href') === focused)?.focus();
      }
      groups.forEach((group, i) => { if (counts[i]) text(counts[i], count(group.reduce((sum, one) => sum + one.count, 0))); });
    },
  };
}

/** Trouble by cause, in the order in which it came: the worst first. */
function grouped(found) {
  const groups = new Map();
  for (const one of found) {
    const cause = causeOf(one);
    if (groups.has(cause)) groups.get(cause).push(one);
    else groups.set(cause, [one]);
  }
  return [...groups.values()];
}

const kindOf = ({ link, session }) => (link ? 'link' : session ? 'session' : 'tunnel');

const causeOf = (one) => `${kindOf(one)} ${one.counter ?? one.condition}`;

const numberOf = (group) => many(group.length, kindOf(group[0]));

const hrefOf = ({ tunnel, session, link }) => (link ? `#/link/${encodeURIComponent(link.name)}` : session ? `#/session/${encodeURIComponent(session.tunnel)}/${encodeURIComponent(session.name)}` : `#/tunnel/${encodeURIComponent(tunnel.name)}`);

const nameOf = ({ tunnel, session, link }) => (link ? `link ${link.name}` : session ? keyOf(session.tunnel, session.name) : tunnel.name);

const counterOf = ({ link, counter }) => (link ? LINK_TROUBLE : TROUBLE)[counter];

const wordsOf = (one) => (one.counter ? counterOf(one)[0] : wordOf(one.condition));

/** Where the list is of all that are in the same trouble. */
const allOf = (one) => `#/${one.link ? 'links' : 'tunnels'}?condition=${one.counter ? 'trouble' : one.condition}`;

function row(group, number) {
  const [first] = group;
  const named = group.slice(0, NAMED).map((one, i) => [i ? ', ' : '', h('a', { href: hrefOf(one), class: 'mono' }, nameOf(one))]);
  const rest = group.length > NAMED ? [' and ', h('a', { href: allOf(first) }, `${count(group.length - NAMED)} more`)] : null;
  return h('li', { class: first.counter ? 'trouble' : first.condition, 'data-trouble': first.counter ?? first.condition },
    h('div', { class: 'line' }, state(first.counter ? 'trouble' : first.condition, wordsOf(first)), group.length > 1 ? h('span', { class: 'dim' }, numberOf(group)) : null, h('span', {}, named, rest), number),
    h('p', { class: 'hint' }, first.counter ? counterOf(first)[1] : WHY[kindOf(first)][first.condition]));
}
