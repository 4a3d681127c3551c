// What fits through a tunnel, and what a frame of full size costs: what `l2tpctl mtu` says.

import { get, path, told } from './api.js';
import { dialog } from './dialog.js';
import { h } from './dom.js';
import { many } from './format.js';
import { barred } from './lists.js';
import { facts } from './views/facts.js';

/** Show what fits through a tunnel, as far as the route tells; what the path takes is asked for by a button. */
export function showMtu(app, tunnel) {
  const found = h('div', { class: 'stack mtu' });
  const status = h('p', { class: 'hint', role: 'status' });
  const ask = h('button', { type: 'button', class: 'button primary', onclick: () => load(true) }, 'Ask the path');
  const button = app.may('write') ? ask : barred(null, 'Ask the path', 'This sends packets to the peer: it needs a token with the scope “write”.');
  async function load(probe) {
    ask.disabled = true;
    status.textContent = probe ? 'Asks the peer, with packets of several sizes …' : '';
    try {
      const said = await get(`${path('tunnels', tunnel, 'mtu')}?probe=${probe}`);
      found.replaceChildren(facts([['route to', said.remote], ['the route takes', octets(said.route_bytes)], ['the path takes', pathOf(said)]]), ...said.sessions.map(sessionPart));
      status.textContent = said.sessions.length ? '' : 'There are no sessions.';
    } catch (failure) {
      status.textContent = told(failure);
    } finally {
      ask.disabled = false;
    }
  }
  dialog(`What fits through ${tunnel}`, h('div', { class: 'stack' }, found, status, h('footer', {}, button)));
  load(false);
}

const octets = (n) => `${n} bytes`;

function pathOf({ probed, path_bytes: taken, remote, route_bytes: route }) {
  if (!probed) return 'not asked yet';
  if (taken === null) return `not known: ${remote} answers no ICMP echo request`;
  return `${octets(taken)} in one piece${taken < route ? ': what is longer gets lost' : ''}`;
}

function sessionPart(one) {
  return h('section', { 'aria-label': `Session ${one.name}` }, h('h3', { class: 'mono' }, one.name),
    facts([...one.overhead.map(({ part, bytes: size }) => [part, octets(size)]), ['overhead', octets(one.overhead_bytes)],
      ['fits in one packet', octets(one.fits_bytes)], ['MTU', one.mtu === null ? 'not known' : octets(one.mtu)]]),
    h('p', { class: 'hint' }, fullFrame(one)));
}

function fullFrame({ full_frame_packets: packets, full_frame_in_ip_fragments: cut, clamp_mss: clamped }) {
  const kind = cut ? many(packets, 'IP fragment') : many(packets, 'packet');
  const mss = packets > 1 && clamped ? ' TCP is kept from making any.' : '';
  return `A frame of full size (1500 bytes) takes ${kind}${cut ? ', which many firewalls and NATs drop' : ''}.${mss}`;
}
