// What works on this host, and why not; who this page is to the service; what concerns everything at once.

import { get, path, send, told } from '../api.js';
import { confirm, field, notice } from '../dialog.js';
import { h, mark } from '../dom.js';
import { here } from '../here.js';
import { binary, count, many } from '../format.js';
import { action } from '../lists.js';
import { facts } from './facts.js';

/** Ask, then put a foreign tunnel on record under a name. */
export function adopt(foreign) {
  const name = field({ name: 'name', label: 'Name', hint: 'What it is called from now on.', required: true });
  const sublayer = field({ name: 'sublayer', label: 'L2-specific sublayer', kind: 'select', options: [['default', 'default (4 bytes)'], ['none']], hint: 'As it was made: the kernel does not tell.' });
  const box = confirm(`Adopt ${foreign}?`, ['It is put on record as it is, with its sessions. Its traffic is not touched.'], 'Adopt', async () => {
    const { name: given } = await send('POST', path('adopt'), { foreign, name: name.input.value.trim(), sublayer: sublayer.input.value });
    notice(`${foreign} is on record as ${given}.`);
    location.hash = `#/tunnel/${encodeURIComponent(given)}`;
  }, { className: 'primary' });
  box.querySelector('footer').before(h('div', { class: 'fields' }, name.element, sublayer.element));
  name.input.focus();
}

export function host(app) {
  const body = h('div', { class: 'columns' });
  const status = h('p', { class: 'alert', role: 'alert', hidden: true });
  async function load() {
    try {
      const capabilities = await get('v1/capabilities');
      body.replaceChildren(datapaths(capabilities), linkTypes(capabilities), identity(app), ...(app.may('write') ? [all(app)] : []), more(capabilities));
    } catch (failure) {
      status.hidden = false;
      status.textContent = told(failure);
    }
  }
  return {
    element: h('div', { class: 'view' }, h('div', { class: 'title' }, h('h1', {}, 'Host')), status, body),
    title: 'Host',
    shown: load,
    update() {},
    destroy() {},
  };
}

const panel = (id, title, ...content) => h('section', { class: 'panel', 'aria-labelledby': id }, h('header', { class: 'bar' }, h('h2', { id }, title)), content);

function datapaths({ datapaths: found }) {
  return panel('datapaths-title', 'Datapaths', h('ul', { class: 'troubles' }, found.map(({ name, works, reason }) => {
    const looks = works ? 'up' : 'down';
    return h('li', { class: looks }, h('div', { class: 'line' }, h('b', { class: 'mono' }, name), h('span', { class: `state ${looks}` }, mark(looks), works ? 'works' : 'does not work here')), h('p', { class: 'hint' }, reason));
  })));
}

function linkTypes({ links = [] }) {
  const wrong = links.filter((one) => !one.works);
  return panel('types-title', 'Types of link', h('p', {}, 'This host can make ', links.filter((one) => one.works).map((one, i) => [i ? ', ' : '', h('b', { class: 'mono' }, one.type)]), '.'),
    h('ul', { class: 'troubles' }, wrong.map(({ type, reason }) => h('li', { class: 'down' }, h('div', { class: 'line' }, h('b', { class: 'mono' }, type), h('span', { class: 'state down' }, mark('down'), 'can not be made here')), h('p', { class: 'hint' }, reason)))));
}

function identity(app) {
  const scopes = ['read', 'write', 'secrets'];
  const words = { read: 'see tunnels, sessions, links and counters', write: 'add, change and remove', secrets: 'see cookies and what passes: peer configurations, captures, hosts behind a session, flows' };
  return panel('identity-title', 'You', h('p', {}, 'The service knows you as ', h('b', { class: 'mono' }, app.identity.name), '.'),
    h('ul', { class: 'plain' }, scopes.map((scope) => h('li', {}, h('span', { class: `state ${app.may(scope) ? 'up' : 'down'}` }, app.may(scope) ? '✓' : '–', ' ', h('b', { class: 'mono' }, scope)), h('span', { class: 'dim' }, ` ${app.may(scope) ? 'may' : 'may not'} ${words[scope]}`)))));
}

function all(app) {
  const { model } = app;
  return panel('all-title', 'Everything at once', h('p', { class: 'hint' }, '“Restore” brings back what is on record and not running. “Stop all” ends all traffic and keeps the record.'),
    h('div', { class: 'buttons' },
      action(null, 'Restore', () => confirm('Restore what is missing?', ['What runs is not touched.'], 'Restore', async () => { await send('POST', path('restore')); notice('Everything on record is running.'); }, { className: 'primary' })),
      action(null, 'Stop all', () => confirm('Stop all tunnels?', [`${many(model.tunnels.size, 'tunnel')} with ${many(model.sessions.size, 'session')}${model.links.size ? ` and ${many(model.links.size, 'link')}` : ''} stop carrying traffic, until they are restored.`], 'Stop all', async () => { await send('POST', path('down')); notice('All is stopped; the record is kept.'); }, { name: here() }), 'danger')));
}

const LIMITS = { page: ['entries of a list at once', count], words_bytes: ['a body that makes or changes one thing', binary], state_bytes: ['a body with a whole state', binary] };

function more(document) {
  const rest = Object.entries(document).filter(([name, value]) => !['datapaths', 'links', 'you', 'limits'].includes(name) && value !== null);
  const shown = (value) => (Array.isArray(value) ? value.join(', ') : typeof value === 'object' ? Object.entries(value).map(([k, v]) => `${k.replaceAll('_', ' ')}: ${Array.isArray(v) ? v.join(', ') : v}`).join('\n') : String(value));
  const limits = Object.entries(document.limits ?? {}).map(([name, value]) => { const [words, as] = LIMITS[name] ?? [name.replaceAll('_', ' '), count]; return `${words}: ${as(value)}`; });
  return panel('more-title', 'This service', facts([...rest.map(([name, value]) => [name.replaceAll('_', ' '), shown(value), 'wide']), ['limits', limits.join('\n'), 'wide']]),
    h('p', { class: 'hint' }, 'For programs: /openapi.json describes the interface; /metrics is for Prometheus.'));
}
