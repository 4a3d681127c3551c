// One tunnel, or one session: what it is, what it does, what can be done with it.

import { doctorPanel } from '../doctor.js';
import { h, state, text } from '../dom.js';
import { showCapture, showInvitation, showPeer } from '../far_end.js';
import { bits, bytes, count, packets } from '../format.js';
import { addSession, editSession, editTunnel, removeSession, removeTunnel, setDown, setSession } from '../forms.js';
import { History, TROUBLE, TROUBLES } from '../history.js';
import { action, barred, itemsOf, joinedTo, makeRows } from '../lists.js';
import { keyOf } from '../model.js';
import { showMtu } from '../mtu.js';
import { flowsPanel, hostsPanel } from '../passing.js';
import { pair } from '../plot.js';
import { WHY } from '../trouble.js';
import { onThisPage } from '../words.js';
import { aboutEncryption } from './encryption.js';
import { facts, otherWords } from './facts.js';
import { adopt } from './host.js';

/** Where a page is: pairs of words and address, the last without. */
export const crumbsOf = (...parts) => h('nav', { 'aria-label': 'Where this is', class: 'crumbs' }, parts.map(([words, href], i) => [i ? ' / ' : '', href ? h('a', { href }, words) : h('span', { 'aria-current': 'page' }, words)]));

const TOLD_OF_TUNNELS = new Set(['remote', 'local', 'encap', 'id', 'peer_id', 'local_port', 'remote_port', 'udp_checksum', 'datapath', 'netns']);
const TOLD_OF_SESSIONS = new Set(['ifname', 'id', 'peer_id', 'tx_cookie', 'rx_cookie', 'sublayer', 'sequencing', 'reorder_timeout_ms', 'vlan', 'egress', 'mtu', 'mac', 'netns', 'address', 'bridge', 'up']);

const crumbs = (...parts) => crumbsOf(['Tunnels', '#/tunnels'], ...parts);

/** In place of something that is not there: what that is, and where to look instead. */
export const gone = (what, href = '#/tunnels', all = 'All tunnels') => h('div', { class: 'stack' }, h('h1', {}, what), h('p', { class: 'empty panel' }, 'It is not there (any more). ', h('a', { href }, all)));

export function tunnel(app, [name]) {
  const { model } = app;
  const head = h('div', { class: 'head' });
  const about = h('section', { class: 'panel', 'aria-labelledby': 'about-title' });
  const rows = makeRows(model, `Sessions of ${name}`);
  const plots = pair(bits, packets);
  const moving = h('div', { class: 'plots' }, plots.map((one) => one.element));
  const first = h('div', { class: 'empty' }, h('p', {}, 'No sessions yet: they are what carries frames.'), app.may('write') ? h('div', { class: 'buttons' }, action('plus', 'Add the first', () => addSession(name))) : null);
  const list = h('section', { class: 'panel flush', 'aria-labelledby': 'sessions-title' }, h('header', { class: 'bar' }, h('h2', { id: 'sessions-title' }, 'Sessions')), rows.element, first);
  const why = doctorPanel({ tunnel: name });
  const element = h('div', { class: 'view' }, head, moving, list, about, why);

  let plotted = null;

  function build() {
    const one = model.tunnels.get(name);
    for (const part of [about, list, moving, why]) part.hidden = !one;
    if (!one) { put(head, 'gone', () => [crumbs([name]), gone(`Tunnel ${name}`)]); return; }
    const items = itemsOf(model, { only: name });
    const looks = model.looksOfTunnel(one);
    put(head, `${looks} ${one.foreign} ${one.wanted?.encrypt}`, () => [crumbs([name]), h('div', { class: 'title' }, h('h1', {}, h('span', {}, name), state(looks, items.length || looks !== 'silent' ? undefined : 'no sessions')), buttons(one))]);
    const { rx_unknown_session: unknown, rx_invalid: invalid, rx_control: control, tx_too_long: tooLong } = one.counters;
    about.replaceChildren(h('header', { class: 'bar' }, h('h2', { id: 'about-title' }, 'About')), facts([
      ...otherWords('tunnel', one.wanted, TOLD_OF_TUNNELS),
      ['from', `${one.local ?? '–'}${one.local_port ? ` port ${one.local_port}` : ''}`], ['to', `${one.remote}${one.remote_port ? ` port ${one.remote_port}` : ''}`],
      ['carried over', one.encap === 'udp' ? `UDP, checksum ${one.udp_checksum ? 'on' : 'off'}` : 'IP, protocol 115'],
      ['ids', `${one.id} here, ${one.peer_id} there`], ['datapath', `${one.datapath}${one.reason ? ` (${one.reason})` : ''}`, 'wide'], ['worker', one.worker_pid ? `pid ${one.worker_pid}` : null],
      ...aboutEncryption(one.encryption),
      ['namespace', one.netns], ['at the next boot', one.transient ? 'forgotten' : null], ['made by', one.foreign ? 'something else: it is not on record here' : null],
      ['unknown sessions', unknown === null ? null : count(unknown)], ['malformed', invalid === null ? null : count(invalid)], ['control packets', control === null ? null : count(control)],
      ['too long to send', tooLong ? count(tooLong) : null],
    ]), ...one.notes.map((note) => h('p', { class: 'hint' }, onThisPage(note))));
    moving.hidden = items.length === 0;
    first.hidden = items.length > 0 || one.foreign;
    rows.element.hidden = items.length === 0;
    if (plotted !== model.flowOf(name)) { plotted = model.flowOf(name); plots.forEach((plot) => plot.show(plotted)); }
    rows.show(items);
  }
  function buttons(one) {
    const shown = [];
    if (one.foreign) { if (app.may('write')) shown.push(action('plus', 'Adopt', () => adopt(name), 'primary')); }
    else {
      if (app.may('write')) shown.push(action('plus', 'Add session', () => addSession(name), 'primary'), action('edit', 'Change', () => editTunnel(name)));
      shown.push(peerButton(app, name), invitationButton(app, one), action(null, 'MTU', () => showMtu(app, name)));
      if (app.may('write')) shown.push(action('remove', 'Remove', () => removeTunnel(name, model.of(name).length), 'danger'));
    }
    return h('div', { class: 'buttons' }, shown);
  }
  return {
    element,
    title: `Tunnel ${name}`,
    rates: true,
    shows: () => ({ sessions: model.of(name) }),
    shown: build,
    update(what) {
      if (what.has('structure')) build();
      else if (what.has('rates')) {
        const one = model.tunnels.get(name);
        if (one && model.looksOfTunnel(one) !== head.dataset.said?.split(' ')[0]) build();
        rows.update();
        plots.forEach((plot) => plot.update());
      }
      if (what.has('theme')) plots.forEach((plot) => plot.recolour());
    },
    destroy() { rows.destroy(); plots.forEach((plot) => plot.destroy()); },
  };
}

const peerButton = (app, tunnel) => (app.may('secrets')
  ? action('peer', 'Peer configuration', () => showPeer(app.model, tunnel, app.formats))
  : barred('peer', 'Peer configuration', 'Peer configurations hold the cookies: they need a token with the scope “secrets”.'));

function invitationButton(app, { name, wanted }) {
  if (!app.may('secrets')) return barred('leave', 'Invitation', 'Invitations hold the cookies: they need a token with the scope “secrets”.');
  if (wanted.encrypt !== 'wireguard') return action('leave', 'Invitation', () => showInvitation(name));
  if (!app.may('write')) return barred('leave', 'Invitation', 'This invitation draws a key for the other end: it needs a token with the scope “write”, too.');
  return action('leave', 'Invitation', () => showInvitation(name, Boolean(app.model.tunnels.get(name)?.wanted.peer_public_key)));
}

/** Build it anew only where it says something else: a button that is being pressed stays. Focus goes to its like. */
export function put(head, said, build) {
  if (head.dataset.said === said) return;
  head.dataset.said = said;
  const words = head.contains(document.activeElement) ? document.activeElement.textContent : null;
  head.replaceChildren(...build());
  if (words !== null) [...head.querySelectorAll('button, a')].find((one) => one.textContent === words)?.focus();
}

export function session(app, [tunnelName, name]) {
  const { model } = app;
  const key = keyOf(tunnelName, name);
  const head = h('div', { class: 'head' });
  const plots = pair(bits, packets);
  const about = h('section', { class: 'panel', 'aria-labelledby': 'about-title' });
  const numbers = counters();
  const said = h('div', { class: 'next' });
  const flows = flowsPanel(app, tunnelName, name);
  const body = h('div', {}, said, numbers.advice, h('div', { class: 'plots' }, plots.map((one) => one.element)), h('div', { class: 'columns' }, numbers.element, about), h('div', { class: 'stack looks' }, doctorPanel({ tunnel: tunnelName, session: name }), hostsPanel(app, tunnelName, name), flows.element));
  const element = h('div', { class: 'view' }, head, body);
  const where = () => crumbs([tunnelName, `#/tunnel/${encodeURIComponent(tunnelName)}`], [name]);
  let plotted = null;

  function build() {
    const one = model.sessions.get(key);
    body.hidden = !one;
    if (!one) { put(head, 'gone', () => [where(), gone(`Session ${key}`)]); return; }
    const looks = model.looksOfSession(one);
    put(head, `${looks} ${one.foreign}`, () => [where(), h('div', { class: 'title' }, h('h1', {}, h('span', {}, key), state(looks), h('span', { class: 'dim hearing' }, model.saidOfHearing(one))), buttons(one))]);
    about.replaceChildren(h('header', { class: 'bar' }, h('h2', { id: 'about-title' }, 'About')), facts(aboutSession(one)));
    said.replaceChildren(...[next(one)].filter(Boolean));
    numbers.update(model, one);
    const lately = model.lately.get(key)?.history ?? new History();
    if (plotted !== lately) { plotted = lately; plots.forEach((plot) => plot.show(lately)); }
  }
  function buttons(one) {
    const writes = app.may('write') && !one.foreign;
    const shown = [];
    if (writes) shown.push(action('edit', 'Change', () => editSession(tunnelName, name)), setUpOrDown(one));
    if (!one.foreign) shown.push(peerButton(app, tunnelName));
    shown.push(app.may('secrets') ? action('capture', 'Capture', () => showCapture(tunnelName, name)) : barred('capture', 'Capture', 'Captures hold the cookies: they need a token with the scope “secrets”.'));
    if (writes) shown.push(action('remove', 'Remove', () => removeSession(tunnelName, name, one.ifname), 'danger'));
    return h('div', { class: 'buttons' }, shown);
  }
  function setUpOrDown(one) {
    if (one.condition === 'down') return action(null, 'Set up', () => setSession(tunnelName, name, true));
    return one.condition === 'up' ? action(null, 'Set down', () => setDown(tunnelName, name)) : null;
  }
  /** What is the matter with it, or what comes next, where the counters can't tell. */
  function next(one) {
    if (one.condition === 'down') return h('p', { class: 'alert silent' }, one.wanted?.up === false ? 'It is down because it was asked to be: it carries nothing.' : 'It was asked to be up, but something else on this host has set its netdev down.', app.may('write') && !one.foreign ? ' “Set up” sets it up.' : '');
    if (WHY.session[one.condition]) return h('p', { class: 'alert' }, WHY.session[one.condition]);
    if (one.foreign || model.counters(one).rx_packets > 0) return null;
    return h('p', { class: 'alert silent unheard', hidden: model.silence(one) > 0 }, 'Nothing has been heard from the other end yet. Once it is set up as ', h('b', {}, '“Peer configuration”'), ' says, a packet from there makes this session up.');
  }
  return {
    element,
    title: `Session ${key}`,
    rates: true,
    shows: () => ({ sessions: [{ tunnel: tunnelName, name }] }),
    shown: build,
    update(what) {
      const one = model.sessions.get(key);
      const looks = one && model.looksOfSession(one);
      if (what.has('structure') || (one && looks !== head.dataset.said?.split(' ')[0])) build();
      else if (what.has('rates') && one) {
        numbers.update(model, one);
        text(head.querySelector('.hearing'), model.saidOfHearing(one));
        said.querySelector('.unheard')?.toggleAttribute('hidden', model.silence(one) > 0); // then it is told so, with for how long
      }
      if (what.has('rates')) plots.forEach((plot) => plot.update());
      if (what.has('theme')) plots.forEach((plot) => plot.recolour());
    },
    destroy() { flows.destroy(); plots.forEach((plot) => plot.destroy()); },
  };
}

const cookie = ({ length }) => (length ? `${length * 8} bits` : 'none');

/** What in the kernel, which has no VLAN pseudowires, does as one would. */
const vlanMaker = (netdev) => ({ vlan: ' by this VLAN netdev', '': ' by tc filters' })[netdev?.kind] ?? '';

function aboutSession(one) {
  const { netdev } = one;
  return [
    ...otherWords('session', one.wanted, TOLD_OF_SESSIONS),
    ['netdev', `${one.ifname}${netdev ? `, ${netdev.up ? 'up' : 'down'}${netdev.up && !netdev.carrier ? ', no carrier' : ''}` : ', not there'}`], ['joined to', joinedTo(one) || 'nothing'],
    ['probes say', one.probing ? `${one.probing.state}${one.probing.reason ? `: ${one.probing.reason}` : ''}` : null],
    ['MTU', netdev ? String(netdev.mtu) : one.mtu], ['MAC address', netdev?.mac], ['namespace', netdev?.netns], ['ids', `${one.id} here, ${one.peer_id} there`],
    ['cookie sent', cookie(one.tx_cookie)], ['cookie expected', cookie(one.rx_cookie)], ['sublayer', one.sublayer ?? 'not known'],
    ['sequencing', `${one.sequencing}${one.send_seq || one.recv_seq ? ` (now ${[one.send_seq && 'sends', one.recv_seq && 'expects'].filter(Boolean).join(' and ')} numbers)` : ''}`],
    ['reorder timeout', one.reorder_timeout_ms ? `${one.reorder_timeout_ms} ms` : 'none'],
    ['VLAN', one.vlan ? `${one.vlan}, tag ${one.egress === 'rewrite' ? 'rewritten' : 'removed'} at egress${vlanMaker(netdev)}` : 'none'],
  ];
}

/** The counters: traffic, and set apart from it what means trouble. */
function counters() {
  const cells = {};
  const cell = (name) => { cells[name] = h('td', { class: 'num' }); return cells[name]; };
  const traffic = h('table', {}, h('caption', {}, 'Traffic'),
    h('thead', {}, h('tr', {}, h('td', {}), h('th', { scope: 'col' }, 'in'), h('th', { scope: 'col' }, 'out'))),
    h('tbody', {}, [['packets', 'packets'], ['bytes', 'bytes']].map(([word, label]) => h('tr', {}, h('th', { scope: 'row' }, label), cell(`rx_${word}`), cell(`tx_${word}`)))));
  const bad = h('table', { class: 'bad-counters' }, h('caption', {}, 'Trouble'),
    h('tbody', {}, TROUBLES.map((name) => h('tr', { 'data-counter': name }, h('th', { scope: 'row' }, h('span', { class: 'cue', 'aria-hidden': 'true' }), TROUBLE[name][0], h('code', { class: 'dim' }, name)), cell(name)))));
  const silence = h('p', { class: 'alert silent', 'aria-live': 'off', hidden: true }); // its seconds are not read aloud
  const advice = h('div', { class: 'advice', 'aria-live': 'polite' }, silence);
  const element = h('section', { class: 'panel', 'aria-labelledby': 'counters-title' }, h('header', { class: 'bar' }, h('h2', { id: 'counters-title' }, 'Counters')), traffic, bad);
  return {
    element,
    advice,
    update(model, one) {
      const now = model.counters(one);
      const growing = new Set(model.growing(one));
      for (const [name, node] of Object.entries(cells)) text(node, name.endsWith('bytes') && now[name] > 99999 ? `${bytes(now[name])}` : count(now[name]));
      for (const name of TROUBLES) {
        const row = cells[name].parentNode;
        row.classList.toggle('growing', growing.has(name));
        row.classList.toggle('some', now[name] > 0);
        text(row.querySelector('.cue'), growing.has(name) ? '▲ ' : '');
      }
      const quiet = model.looksOfSession(one) === 'silent' && model.silence(one) > 0;
      text(silence, quiet ? `This end ${model.saidOfSilence(one)}. ${WHY.session.silent.replace(/^[^.]*\. /, '')}` : '');
      silence.hidden = !quiet;
      const said = [...growing].map((name) => `${TROUBLE[name][0]}: ${TROUBLE[name][1]}`);
      if (advice.dataset.said !== said.join()) {
        advice.dataset.said = said.join();
        advice.replaceChildren(...said.map((words) => h('p', { class: 'alert' }, words)), silence);
      }
    },
  };
}
