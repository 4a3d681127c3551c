// The audit log: who changed what when.

import { get, told } from '../api.js';
import { h, text } from '../dom.js';
import { stamp } from '../format.js';
import { action } from '../lists.js';

const LIMIT = 200;
const SOON_MS = 800;

export function log() {
  const body = h('tbody');
  const status = h('p', { class: 'dim', role: 'status' });
  let timer = null;
  async function load() {
    timer = null;
    try {
      const { entries } = await get(`v1/log?limit=${LIMIT}`);
      const newest = [...entries].reverse();
      body.replaceChildren(...newest.map(({ at, who, what }) => h('tr', {}, h('td', { class: 'num dim' }, stamp(new Date(at))), h('td', {}, who), h('td', { class: 'mono' }, what))));
      text(status, entries.length ? '' : 'Nothing was changed yet.');
    } catch (failure) {
      text(status, told(failure));
    }
  }
  return {
    element: h('div', { class: 'view' }, h('div', { class: 'title' }, h('h1', {}, 'Log'), action(null, 'Refresh', load)), status,
      h('div', { class: 'panel flush scroll', tabindex: '0', role: 'region', 'aria-label': 'Who changed what when, the newest first' },
        h('table', { class: 'wide log' }, h('thead', {}, h('tr', {}, ['When', 'Who', 'What'].map((one) => h('th', { scope: 'col' }, one)))), body))),
    title: 'Log',
    shown: load,
    update(what) { if (what.has('events')) timer ??= setTimeout(load, SOON_MS); },
    destroy() { clearTimeout(timer); },
  };
}
