// Who is behind a session, and what passes it: asked for by whoever wants to see it, for as long as they do.

import { get, Problem, path, told } from './api.js';
import { h, mark, text } from './dom.js';
import { age, bits, many, packets } from './format.js';
import { action, barred } from './lists.js';

const LISTEN_S = 2;
const INTERVAL_S = 1;
const FLOWS = 20;
const AGAIN_MS = 3000;
const LOOKS = { stops: 'missing', loses: 'trouble', none: 'down' };

const ofSession = (tunnel, session, what) => path('tunnels', tunnel, 'sessions', session, what);

/** A table that moves sideways by itself where it is wider than the page. */
function wideTable(label, heads) {
  const body = h('tbody', {});
  const element = h('div', { class: 'scroll', role: 'region', 'aria-label': label, tabindex: 0, hidden: true },
    h('table', { class: 'listing' }, h('thead', {}, h('tr', {}, heads.map(([words, right]) => h('th', { scope: 'col', class: right ? 'num' : null }, words)))), body));
  return { element, show(rows) { body.replaceChildren(...rows); element.hidden = rows.length === 0; } };
}

const cell = (words, className = 'mono') => h('td', { class: className }, words);

const panel = (id, title, button, ...content) => h('section', { class: 'panel', 'aria-labelledby': id }, h('header', { class: 'bar' }, h('h2', { id }, title), button), content);

/** A panel that listens for two seconds to what the hosts behind a session say of themselves, and lists them. */
export function hostsPanel(app, tunnel, session) {
  const status = h('p', { class: 'hint', role: 'status' }, 'Listens for two seconds to what hosts say of themselves, and asks the kernel which it knows. Nothing is sent.');
  const table = wideTable('Hosts behind this session', [['At'], ['MAC address'], ['IP addresses'], ['Names'], ['VLANs'], ['Maker'], ['Heard', true]]);
  const wrong = h('ul', { class: 'troubles', hidden: true });
  const button = app.may('secrets') ? action(null, 'Listen', look) : barred(null, 'Listen', 'Who is behind a session is seen with a token that has the scope “secrets”.');
  async function look() {
    button.disabled = true;
    text(status, 'Listening …');
    try {
      const found = await get(`${ofSession(tunnel, session, 'hosts')}?listen_s=${LISTEN_S}`);
      const { hosts, findings } = found.sessions[0] ?? { hosts: [], findings: [] };
      table.show(hosts.map(hostRow));
      wrong.replaceChildren(...findings.map(findingRow));
      wrong.hidden = !findings.length;
      text(status, [hosts.length ? `${many(hosts.length, 'host')}. Anybody can say anything: these are claims.` : 'Nobody was heard.', ...found.unseen.map((one) => `Could not be looked at: ${one}.`)].join(' '));
    } catch (failure) {
      text(status, told(failure));
    } finally {
      button.disabled = false;
    }
  }
  return panel('hosts-title', 'Hosts behind it', button, status, table.element, wrong);
}

function hostRow(one) {
  return h('tr', {}, cell(one.far ? 'far end' : 'here', null), cell(one.mac), cell(one.addresses.join(', ') || '–'), cell(one.names.join(', ') || '–'),
    cell(one.vlans.join(', ') || '–'), cell(one.vendor ?? '–', null), cell(one.age_s === null ? '–' : age(one.age_s), 'num'));
}

const findingRow = ({ cause, harm, says, remedy }) => h('li', { class: LOOKS[harm], 'data-finding': cause },
  h('div', { class: 'line' }, h('span', {}, mark(LOOKS[harm]), ' ', says)), remedy ? h('p', { class: 'hint' }, remedy) : null);

/** A panel that shows the flows that pass a session, live, from “Watch” to “Stop”. Call `destroy` when it goes. */
export function flowsPanel(app, tunnel, session) {
  const status = h('p', { class: 'hint', role: 'status' }, 'The busiest flows, each second. The kernel counts them while you watch.');
  const sum = h('p', { class: 'num' }, '');
  const table = wideTable('Flows that pass this session', [['Way'], ['Protocol'], ['Source'], ['Destination'], ['VLAN'], ['Packets', true], ['Rate', true]]);
  const watch = action(null, 'Watch', () => (watching ? stop('Stopped: these are the last ones that were seen.') : begin()));
  const button = app.may('secrets') ? watch : barred(null, 'Watch', 'What passes a session is seen with a token that has the scope “secrets”.');
  let watching = null; // aborted when nobody watches any more

  function begin() {
    watching = new AbortController();
    text(watch, 'Stop');
    text(status, 'Counting …');
    look(watching.signal);
  }
  function stop(words) {
    watching?.abort();
    watching = null;
    text(watch, 'Watch');
    text(status, words);
  }
  async function look(signal) {
    while (!signal.aborted) {
      if (document.hidden) { await pause(AGAIN_MS); continue; } // what nobody sees is not counted
      try {
        const found = await get(`${ofSession(tunnel, session, 'flows')}?interval_s=${INTERVAL_S}&limit=${FLOWS}`);
        if (!signal.aborted) show(found);
      } catch (failure) {
        if (signal.aborted) return;
        if (!(failure instanceof Problem && failure.slug === 'busy')) { stop(told(failure)); return; }
        text(status, told(failure));
        await pause(AGAIN_MS);
      }
    }
  }
  function show({ flows, count, bytes_per_s: all, rest_bytes_per_s: rest }) {
    table.show(flows.map(flowRow));
    text(sum, `${many(count, 'flow')}, ${bits(all * 8)}${count > flows.length ? `; the busiest ${flows.length} are shown` : ''}${rest ? `; ${bits(rest * 8)} are of flows that there was no room to tell apart` : ''}`);
    text(status, count ? 'Live.' : 'Live: nothing passed in the last second.');
  }
  return {
    element: panel('flows-title', 'Live flows', button, status, sum, table.element),
    destroy() { watching?.abort(); },
  };
}

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function flowRow(one) {
  return h('tr', { 'data-way': one.out ? 'out' : 'in' }, cell(one.out ? '→ out' : '← in', null), cell(one.protocol), cell(withPort(one.source, one.source_port)), cell(withPort(one.destination, one.destination_port)),
    cell(one.vlan ?? '–'), cell(packets(one.packets_per_s), 'num'), cell(bits(one.bytes_per_s * 8), 'num'));
}

const withPort = (address, port) => (port === null ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);
