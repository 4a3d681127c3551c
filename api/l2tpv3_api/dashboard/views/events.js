// What happened since this page was opened, the newest first.

import { h, text } from '../dom.js';
import { many } from '../format.js';
import { action } from '../lists.js';
import { eventRow } from '../told.js';

const SHOWN = 200;
const TYPES = [['', 'everything'], ['tunnel', 'tunnels'], ['session', 'sessions'], ['link', 'links'], ['worker', 'workers'], ['apply', 'changes as they run'], ['confirmation', 'confirmations']];

export function events(app) {
  const { model } = app;
  let paused = false;
  const list = h('ol', { class: 'events panel', 'aria-label': 'Events, the newest first' });
  const type = h('select', { id: 'type', onchange: () => draw() }, TYPES.map(([word, label]) => h('option', { value: word }, label)));
  const found = h('p', { class: 'dim' });
  const pause = action(null, 'Pause', () => {
    paused = !paused;
    pause.setAttribute('aria-pressed', String(paused));
    if (!paused) draw();
  });
  pause.setAttribute('aria-pressed', 'false');
  function draw() {
    const chosen = model.events.filter((one) => !type.value || one.type === type.value);
    list.replaceChildren(...chosen.slice(0, SHOWN).map(eventRow));
    if (!chosen.length) list.append(h('li', { class: 'empty' }, 'Nothing of that has happened since this page was opened. The log tells of earlier changes.'));
    text(found, `${many(chosen.length, 'event')}${chosen.length > SHOWN ? `, the last ${SHOWN} are shown` : ''}`);
  }
  return {
    element: h('div', { class: 'view' }, h('div', { class: 'title' }, h('h1', {}, 'Events')),
      h('div', { class: 'filters' }, h('label', { for: 'type', class: 'unseen' }, 'Kind'), type, pause, found), list),
    title: 'Events',
    shown: draw,
    update(what) { if (what.has('events') && !paused) draw(); },
    destroy() {},
  };
}
