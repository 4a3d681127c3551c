// The configuration of the far end, to be copied; invitations to it; and captures, to be downloaded.

import { ask, get, path, Problem, problemOf, send, told } from './api.js';
import { dialog, field, notice } from './dialog.js';
import { h, s } from './dom.js';
import { bytes } from './format.js';
import { onThisPage } from './words.js';

/** Show what has to be typed at the other end of a tunnel. It holds the cookies, so the service asks for that scope. */
export function showPeer(model, tunnel, formats) {
  const format = field({ name: 'as', label: 'Format', kind: 'select', options: formats.map((one) => [one]) });
  const code = h('pre', { class: 'code wrapped', tabindex: '0', role: 'region', 'aria-label': 'Configuration of the far end' });
  const notes = h('ul', { class: 'plain hint' });
  const status = h('p', { class: 'hint', 'aria-live': 'polite' });
  const copy = h('button', { type: 'button', class: 'button primary', onclick: async () => {
    await copyText(code);
    status.textContent = 'Copied. It holds the cookies: mind where it goes.';
  } }, 'Copy');
  const download = h('button', { type: 'button', class: 'button', onclick: () => save(new Blob([code.textContent], { type: 'text/plain' }), `${tunnel}-peer-${format.input.value}.txt`) }, 'Download');
  const usable = (whether) => { copy.disabled = !whether; download.disabled = !whether; };
  const load = async () => {
    usable(false);
    status.textContent = '';
    try {
      const { text, notes: said } = await get(`${path('tunnels', tunnel, 'peer')}?as=${format.input.value}`);
      code.textContent = text;
      notes.replaceChildren(...[...said, ...addresses(model, tunnel)].map((words) => h('li', {}, onThisPage(words))));
      usable(true);
    } catch (failure) {
      code.textContent = '';
      notes.replaceChildren();
      status.textContent = failure instanceof Problem && failure.status === 403 ? 'This configuration holds the cookies; reading them needs a token with the scope “secrets”.' : told(failure);
    }
  };
  format.input.addEventListener('change', load);
  dialog(`Peer configuration of ${tunnel}`, h('div', { class: 'stack' }, format.element, code, notes, status, h('footer', {}, download, copy)));
  load();
}

/** Show a line, and its QR code, of which `l2tpctl join` makes the other end of a tunnel. It holds the cookies as well.
 *  wireguard: null, or whether the other end of a tunnel that WireGuard encrypts has a key already: each invitation to
 *  such a tunnel draws another one, so that it is asked for by a button. */
export function showInvitation(tunnel, wireguard = null) {
  const lasts = field({ name: 'expires', label: 'Can be used for', kind: 'select', options: [['3600', 'an hour'], ['86400', 'a day'], ['604800', 'a week']] });
  const code = h('pre', { class: 'code wrapped', tabindex: '0', role: 'region', 'aria-label': 'Invitation' });
  const drawn = h('div', { class: 'qr' });
  const status = h('p', { class: 'hint', 'aria-live': 'polite' });
  const copy = h('button', { type: 'button', class: 'button primary', disabled: true, onclick: async () => {
    await copyText(code);
    status.textContent = 'Copied. It holds the cookies: mind where it goes.';
  } }, 'Copy');
  const load = async () => {
    copy.disabled = true;
    code.textContent = '';
    drawn.replaceChildren();
    const url = `${path('tunnels', tunnel, 'invitation')}?expires_s=${lasts.input.value}`;
    try {
      const { line, expires, qr } = wireguard === null ? await get(url) : await send('POST', `${url}&replace_key=true`);
      code.textContent = line;
      if (qr) drawn.append(qrCode(qr));
      status.textContent = `“l2tpctl join LINE” makes the other end of it, once, until ${new Date(expires * 1000).toLocaleString()}.`;
      copy.disabled = false;
    } catch (failure) {
      status.textContent = told(failure);
    }
  };
  const draw = wireguard === null ? null : h('button', { type: 'button', class: 'button', onclick: load }, 'Draw its key');
  const about = wireguard === null ? null : h('p', { class: 'hint' }, `The invitation has a new WireGuard key for the other end.${wireguard ? ' The key that it has now is of no use from then on: nothing passes until it has joined again.' : ''}`);
  dialog(`Invitation to the other end of ${tunnel}`, h('div', { class: 'stack' }, about, lasts.element, drawn, code, status, h('footer', {}, draw, copy)));
  if (wireguard !== null) return;
  lasts.input.addEventListener('change', load);
  load();
}

/** A QR code from its rows of 0 and 1: dark on white in any theme, as cameras want it. */
function qrCode(rows) {
  const dark = rows.flatMap((row, y) => [...row.matchAll(/1+/g)].map((run) => `M${run.index} ${y}h${run[0].length}v1h-${run[0].length}z`));
  return s('svg', { viewBox: `0 0 ${rows.length} ${rows.length}`, role: 'img', 'aria-label': 'The invitation as a QR code', 'shape-rendering': 'crispEdges' },
    s('rect', { width: rows.length, height: rows.length, fill: '#fff' }), s('path', { d: dark.join(''), fill: '#000' }));
}

/** What the configuration of the other end can't have: an address of its own, in the networks of this end's. */
const addresses = (model, tunnel) => model.of(tunnel).flatMap(({ name, netdev }) => (netdev?.addresses ?? []).filter((one) => !one.startsWith('fe80')).map((one) => `session ${name}: this end has ${one}; give the other end's netdev another address of that network`));

async function copyText(node) {
  try {
    await navigator.clipboard.writeText(node.textContent);
  } catch { // a page that was not loaded over TLS may not use the clipboard: the old way
    const range = document.createRange();
    range.selectNodeContents(node);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    document.execCommand('copy');
  }
}

/** Capture a session's frames into a file. */
export function showCapture(tunnel, session) {
  const side = field({ name: 'side', label: 'Frames', kind: 'select', options: [['inner', 'inner: what the netdev sees'], ['outer', 'outer: L2TPv3 packets on the wire']] });
  const filter = field({ name: 'filter', label: 'Filter', placeholder: 'arp or icmp', hint: 'As for tcpdump. Empty: everything.' });
  const packets = field({ name: 'packets', label: 'At most, packets', kind: 'number' }, '1000');
  const seconds = field({ name: 'seconds', label: 'At most, seconds', kind: 'number' }, '30');
  const status = h('p', { class: 'hint', role: 'status' });
  const start = h('button', { type: 'submit', class: 'button primary' }, 'Start');
  let abort = null;
  const form = h('form', { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    if (abort) { abort.abort(); return; }
    abort = new AbortController();
    start.textContent = 'Stop and save';
    try {
      const asked = new URLSearchParams({ side: side.input.value });
      for (const one of [filter, packets, seconds]) if (one.input.value.trim()) asked.set(one.spec.name, one.input.value.trim());
      const response = await ask(`${path('tunnels', tunnel, 'sessions', session, 'capture')}?${asked}`, { signal: abort.signal });
      if (!response.ok) throw await problemOf(response);
      save(await collect(response, abort.signal, (size) => { status.textContent = `Capturing: ${bytes(size)}`; }), `${tunnel}-${session}.pcapng`);
      status.textContent = 'Saved.';
    } catch (failure) {
      status.textContent = failure.name === 'AbortError' ? 'Stopped before anything came.' : told(failure);
    }
    abort = null;
    start.textContent = 'Start';
  } }, h('div', { class: 'fields' }, [side, filter, packets, seconds].map((one) => one.element)), status,
  h('footer', {}, start));
  const box = dialog(`Capture ${tunnel}/${session}`, form);
  box.addEventListener('close', () => abort?.abort());
}

/** The pieces of a stream up to its end, or until it is stopped. */
async function collect(response, signal, tell) {
  const pieces = [];
  let size = 0;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      pieces.push(value);
      size += value.length;
      tell(size);
    }
  } catch (failure) {
    if (!signal.aborted || !pieces.length) throw failure;
  }
  return new Blob(pieces, { type: 'application/x-pcapng' });
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
  notice(`${name}: ${bytes(blob.size)} saved.`);
}
