// Events in words.

import { h } from './dom.js';
import { clock } from './format.js';
import { MARKS } from './looks.js';

/** Whom the service's log names where a change was undone by itself. */
export const NOBODY = 'nobody confirmed in time';

const SIGN = { appeared: '+', vanished: '−', changed: '~', died: '✕', returned: '●' };

/** One event as a row of a list. */
export function eventRow({ number, at, type, data }) {
  const { sign, words, href, kind } = told(type, data);
  return h('li', { class: `event ${kind}`, 'data-number': number },
    h('time', { datetime: at.toISOString(), class: 'num dim' }, clock(at)),
    h('span', { class: 'sign', 'aria-hidden': 'true' }, sign),
    h('span', { class: 'what' }, href ? h('a', { href }, words) : words));
}

function told(type, data) {
  if (type === 'tunnel') return ofThing(`tunnel ${data.name}`, data, `#/tunnel/${encodeURIComponent(data.name)}`);
  if (type === 'session') return ofThing(`session ${data.tunnel}/${data.name}`, data, `#/session/${encodeURIComponent(data.tunnel)}/${encodeURIComponent(data.name)}`);
  if (type === 'link') return ofThing(`link ${data.name}`, data, `#/link/${encodeURIComponent(data.name)}`);
  if (type === 'worker') {
    const died = data.change === 'died';
    return { sign: SIGN[data.change] ?? '', words: `worker of tunnel ${data.tunnel} ${died ? 'died' : 'is back'}${data.pid ? ` (pid ${data.pid})` : ''}`, kind: died ? 'bad' : 'good' };
  }
  if (type === 'apply') return ofApply(data);
  if (type === 'confirmation') return ofConfirmation(data);
  if (type === 'reset') return { sign: '↻', words: 'some events were missed; everything was read anew', kind: 'plain' };
  if (type === 'page') return { sign: data.sign ?? '·', words: data.words, kind: data.kind ?? 'plain' };
  return { sign: '·', words: type, kind: 'plain' };
}

function ofThing(name, { change, document }, href) {
  const condition = document?.condition;
  const kind = change === 'vanished' ? 'plain' : condition === 'up' ? 'good' : condition ? 'bad' : 'plain';
  const words = `${name} ${change}${condition && change !== 'vanished' ? ` · ${MARKS[condition] ?? ''} ${condition}` : ''}`;
  return { sign: SIGN[change] ?? '~', words, href: change === 'vanished' ? null : href, kind };
}

/** An apply's progress in a line. */
export function ofApply(data) {
  const who = data.who ? ` by ${data.who}` : '';
  if (data.state === 'began') return { sign: '▸', words: `changes begun${who}`, kind: 'plain' };
  if (data.state === 'done') return { sign: '✓', words: `changes done${who}`, kind: 'good' };
  if (data.state === 'failed') return { sign: '✕', words: `changes failed${who}${data.detail ? `: ${data.detail}` : ''}`, kind: 'bad' };
  const step = data.step ?? {};
  return { sign: step.sign ?? '·', words: `${subjectOf(step)}: ${step.text ?? ''}`, kind: 'plain' };
}

/** A change that has to be confirmed: that it waits, or how that ended. */
function ofConfirmation({ change, who, left_s: left, detail }) {
  const by = who && who !== NOBODY ? ` by ${who}` : '';
  const why = detail ? `: ${detail}` : '';
  if (change === 'awaited') return { sign: '…', words: `changes made${by} wait to be confirmed${left ? ` within ${Math.round(left)} s` : ''}`, kind: 'plain' };
  if (change === 'undone') return { sign: '↶', words: `changes undone${by}${why}`, kind: 'bad' };
  return { sign: '✓', words: `changes ${change === 'confirmed' ? 'kept' : 'no longer wait to be confirmed'}${by}${why}`, kind: 'good' };
}

/** What a step is about. */
export const subjectOf = ({ tunnel, session, link, netns }) => (
  netns ? `network namespace ${netns}` : link ? `link ${link}` : session ? `session ${tunnel}/${session}` : `tunnel ${tunnel}`);
