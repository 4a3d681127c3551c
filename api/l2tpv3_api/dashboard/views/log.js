// The audit log: who changed what when, to look through.

import { get, told } from '../api.js';
import { h, text } from '../dom.js';
import { count, many, stamp, zone } from '../format.js';
import { action } from '../lists.js';

const FIRST = 200;
const MOST = 10000;
const DRAWN = 1000;
const SOON_MS = 800;

export function log() {
  const body = h('ol', { class: 'events log', 'aria-label': 'Who changed what when, the newest first' });
  const search = h('input', { type: 'search', id: 'search', placeholder: 'who, what, when …', autocomplete: 'off', spellcheck: 'false', oninput: () => draw() });
  const status = h('p', { class: 'dim', role: 'status' });
  const older = action(null, 'Older entries', () => { limit = Math.min(MOST, limit * 5); load(); });
  let limit = FIRST;
  let entries = [];
  let timer = null;
  async function load() {
    timer = null;
    try {
      ({ entries } = await get(`v1/log?limit=${limit}`));
      entries.reverse();
      draw();
    } catch (failure) {
      text(status, told(failure));
    }
  }
  function draw() {
    const words = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const shown = entries.map(({ at, who, what }) => ({ when: stamp(new Date(at)), at, who, what })).filter(({ when, who, what }) => {
      const line = `${when} ${who} ${what}`.toLowerCase();
      return words.every((word) => line.includes(word));
    });
    body.replaceChildren(...shown.slice(0, DRAWN).map(({ when, at, who, what }) => h('li', { class: 'entry' },
      h('time', { datetime: at, title: at, class: 'num dim' }, when), h('span', { class: 'who' }, who), h('span', { class: 'what mono' }, what))));
    const all = entries.length < limit;
    older.hidden = all || limit >= MOST;
    text(status, !entries.length ? 'Nothing was changed yet.' : `${words.length ? `${count(shown.length)} of ${many(entries.length, 'entry', 'entries')}` : many(entries.length, 'entry', 'entries')}${all ? '' : ', the newest'}${shown.length > DRAWN ? `; ${count(DRAWN)} are shown` : ''}. Times are of the zone ${zone()}.`);
  }
  return {
    element: h('div', { class: 'view' }, h('div', { class: 'title' }, h('h1', {}, 'Log'), action(null, 'Refresh', load)),
      h('div', { class: 'filters', role: 'search' }, h('label', { for: 'search', class: 'unseen' }, 'Search'), search, status),
      h('div', { class: 'panel' }, body), h('div', { class: 'buttons' }, older)),
    title: 'Log',
    shown: load,
    update(what) { if (what.has('events')) timer ??= setTimeout(load, SOON_MS); },
    destroy() { clearTimeout(timer); },
  };
}
