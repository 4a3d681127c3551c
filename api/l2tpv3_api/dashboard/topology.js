// The picture: what this host's sessions are bridged to, the sessions, the tunnels that carry them, the peers.
// Drawn from left to right, or, where that does not fit, as a tree. With many of them it shows the worst and the rest as a number.

import { h, s, text } from './dom.js';
import { bits, cut, many } from './format.js';
import { here } from './here.js';
import { MARKS, RANK, wordOf } from './looks.js';
import { byName, keyOf } from './model.js';

const NARROW = 720;
const TUNNELS = 10;
const SESSIONS = 8;
const ROWS = 20;
const CHAR = 7.3;

export class Topology {
  constructor(model) {
    this.model = model;
    this.live = [];
    this.width = 0;
    this.box = h('div', { class: 'topology' });
    this.element = h('section', { class: 'panel', 'aria-labelledby': 'topology-title' },
      h('header', { class: 'bar' }, h('h2', { id: 'topology-title' }, 'Topology'), legend()), this.box);
    this.watch = new ResizeObserver(() => {
      const width = Math.floor(this.box.clientWidth);
      if (width && width !== this.width) { this.width = width; this.draw(); }
    });
    this.watch.observe(this.box);
  }

  destroy() { this.watch.disconnect(); }

  /** Things have come, gone or changed: the picture anew. */
  draw() {
    if (!this.width || !this.model.loaded) return;
    const focused = document.activeElement?.getAttribute('data-key');
    this.live = [];
    this.said = this.#wrong();
    const picture = { ...this.#choose(), model: this.model };
    const draw = this.width < NARROW ? tree : wide;
    const svg = picture.tunnels.length ? draw(picture, this.width, this.live) : nothing();
    this.box.replaceChildren(svg);
    if (focused) this.box.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    this.rates();
  }

  /** All that is not as it should be, shown or not: where that changes, others may have to be shown. */
  #wrong() {
    const found = [];
    for (const [key, session] of this.model.sessions) {
      const looks = this.model.looksOfSession(session);
      if (looks !== 'up') found.push(`${key} ${looks}`);
    }
    return found.join('\n');
  }

  /** New rates: only texts and classes change, and the picture where trouble came or went. */
  rates() {
    const { model } = this;
    if (this.said !== this.#wrong()) { this.draw(); return; }
    for (const one of this.live) {
      let rx = 0;
      let tx = 0;
      for (const session of one.sessions ?? [one.session]) {
        const rates = model.rates(session);
        if (rates) { rx += rates.rx; tx += rates.tx; }
      }
      text(one.node, `${rx || tx ? `↓ ${bits(rx)}  ↑ ${bits(tx)}` : one.idle ?? ''}${one.wrong && (rx || tx) ? `  ▲ ${one.wrong}` : ''}`);
      one.pipe?.classList.toggle('busy', rx + tx > 0);
    }
  }

  /** The tunnels and sessions that are shown, the worst first where there are too many. */
  #choose() {
    const groups = this.model.grouped();
    const tunnels = [...this.model.tunnels.values()].map((tunnel) => {
      const all = groups.get(tunnel.name).map((session) => ({ session, looks: this.model.looksOfSession(session) }));
      const looks = this.model.looksOfTunnel(tunnel, groups.get(tunnel.name));
      const worst = Math.min(RANK[looks], ...all.map((one) => RANK[one.looks]));
      const wrong = all.filter((one) => RANK[one.looks] <= RANK.trouble).length;
      return { tunnel, all, worst, looks, wrong };
    });
    const order = (a, b) => a.worst - b.worst || byName(a.tunnel.name, b.tunnel.name);
    const shown = tunnels.length > TUNNELS ? tunnels.sort(order).slice(0, TUNNELS) : tunnels;
    const each = Math.max(1, Math.min(SESSIONS, Math.floor(ROWS / Math.max(1, shown.length))));
    for (const one of shown) {
      const few = one.all.length <= each + 1;
      const chosen = few ? one.all : [...one.all].sort((a, b) => RANK[a.looks] - RANK[b.looks]).slice(0, each);
      one.sessions = chosen.sort((a, b) => byName(a.session.name, b.session.name));
      one.more = one.all.length - chosen.length;
    }
    shown.sort((a, b) => byName(a.tunnel.remote, b.tunnel.remote) || byName(a.tunnel.name, b.tunnel.name));
    return { tunnels: shown, more: tunnels.length - shown.length, count: tunnels.length };
  }
}

function legend() {
  return h('ul', { class: 'key' }, Object.keys(MARKS).map((name) => h('li', { class: `state ${name}` },
    h('span', { class: `mark ${name}`, 'aria-hidden': 'true' }, MARKS[name]), wordOf(name))));
}

/** What stands at a tunnel's pipe while nothing flows. */
const idleOf = ({ tunnel, looks, wrong, all }) => (wrong ? `${wrong} of ${all.length} in trouble` : looks === 'up' ? 'idle' : all.length ? wordOf(looks) : tunnel.condition === 'up' ? 'no sessions' : tunnel.condition);

const nothing = () => h('p', { class: 'empty' }, 'No tunnels yet. “Add tunnel” makes the first one.');

const HIDDEN = { 'aria-hidden': 'true' };

const label = (x, y, words, className = '', props = {}) => s('text', { x, y, class: className, ...props }, words);

/** A link whose name is what it says, after words that only screen readers are told, as they don't see the shape. */
function link(href, key, words, ...children) {
  return s('a', { href, 'data-key': key, class: 'node' }, label(0, 0, `${words} `, 'told'), children);
}

const describe = ({ session, looks }) => `Session of ${session.tunnel}, ${wordOf(looks)}${attached(session).map((one) => `, ${one.words}`).join('')}:`;

/** What a session's netdev is joined to: a bridge, else a namespace and addresses. */
function attached(session) {
  const { netdev } = session;
  const bridge = netdev?.bridge ?? session.wanted?.bridge;
  const netns = netdev?.netns ?? session.wanted?.netns;
  const found = [];
  if (bridge) found.push({ kind: 'bridge', key: `bridge ${netns ?? ''} ${bridge}`, words: `bridge ${bridge}`, short: bridge, netns });
  else if (netdev?.addresses.length) {
    const plain = netdev.addresses.filter((one) => !one.startsWith('fe80')) ;
    if (plain.length) found.push({ kind: 'address', key: `address ${keyOf(session.tunnel, session.name)}`, words: plain.join(' '), short: plain[0] });
  }
  if (netns) found.push({ kind: 'netns', key: `netns ${netns}`, words: `namespace ${netns}`, short: netns });
  return found.slice(0, 1);
}

const svgOf = (width, height, picture, content) => s('svg', {
  viewBox: `0 0 ${width} ${height}`, width, height, role: 'group',
  'aria-label': `This host with ${many(picture.count, 'tunnel')}; each session is a link to its page`,
}, content);

/** The rest as a number. */
const andMore = (x, y, count, what, href) => s('a', { href, class: 'node more' }, label(x, y, `+ ${count} more ${what}`, 'dim'));

/** Left to right: attached, host with sessions, tunnels, peers. */
function wide(picture, width, live) {
  const ROW = 38;
  const hostX = Math.max(150, Math.round(width * 0.17));
  const hostW = Math.min(340, Math.round(width * 0.29));
  const peerW = Math.min(230, Math.round(width * 0.2));
  const peerX = width - peerW - 2;
  const edge = hostX + hostW;
  const lines = [];
  const nodes = [];
  const joints = new Map();
  const peers = new Map();
  let y = 44;
  for (const shown of picture.tunnels) {
    const { tunnel, sessions, more, all, looks: overall } = shown;
    const top = y;
    const rows = Math.max(1, sessions.length + (more ? 1 : 0));
    const height = Math.max(rows * ROW, 50);
    const middle = top + height / 2;
    let rowY = middle - (rows * ROW) / 2;
    for (const one of sessions) {
      const centre = rowY + ROW / 2;
      const rate = label(edge - 16, centre + 11, '', 'rate', { 'text-anchor': 'end' });
      live.push({ node: rate, session: one.session, looks: one.looks });
      const { session, looks } = one;
      const w = hostW - 16;
      nodes.push(link(`#/session/${encodeURIComponent(session.tunnel)}/${encodeURIComponent(session.name)}`, `s ${keyOf(session.tunnel, session.name)}`, describe(one),
        s('rect', { x: hostX + 8, y: rowY + 2, width: w, height: ROW - 4, rx: 6, class: `chip ${looks}` }),
        label(hostX + 18, centre + 5, MARKS[looks], `mark ${looks}`, HIDDEN),
        label(hostX + 36, centre - 4, cut(session.name, Math.floor((w - 34 - session.ifname.length * CHAR) / CHAR)), 'name'),
        label(edge - 16, centre - 4, session.ifname, 'dim', { 'text-anchor': 'end' }), rate));
      lines.push(s('path', { d: `M${edge - 8} ${centre} C ${edge + 26} ${centre}, ${edge + 16} ${middle}, ${edge + 50} ${middle}`, class: `wire ${looks}` }));
      for (const at of attached(session)) {
        if (!joints.has(at.key)) joints.set(at.key, { ...at, ys: [], looks });
        joints.get(at.key).ys.push(centre);
      }
      rowY += ROW;
    }
    if (more) nodes.push(andMore(hostX + 36, rowY + ROW / 2 + 4, more, 'sessions', `#/tunnel/${encodeURIComponent(tunnel.name)}`));
    if (!all.length) nodes.push(label(hostX + 18, middle + 4, 'no sessions', 'dim'));
    const start = all.length ? edge + 48 : edge;
    const end = peerX;
    const room = Math.floor((end - start - 24) / CHAR);
    const pipe = s('line', { x1: start, y1: middle, x2: end, y2: middle, class: `pipe ${overall}` });
    const rate = label((start + end) / 2, middle + 21, '', 'rate', { 'text-anchor': 'middle' });
    live.push({ node: rate, sessions: all.map((one) => one.session), pipe, idle: idleOf(shown), wrong: shown.wrong });
    const carried = `${tunnel.encap} · ${tunnel.datapath}`;
    const words = `${MARKS[overall]} ${tunnel.name}`;
    const long = words.length + carried.length + 3 <= room ? `${words} · ${carried}` : cut(words, room);
    lines.push(s('line', { x1: start, y1: middle, x2: end, y2: middle, class: 'sheath' }), pipe);
    nodes.push(link(`#/tunnel/${encodeURIComponent(tunnel.name)}`, `t ${tunnel.name}`, `Tunnel to ${tunnel.remote}, ${wordOf(overall)}:`,
      s('rect', { x: start, y: middle - 28, width: Math.max(10, end - start), height: 56, class: 'hit', rx: 6 }),
      label((start + end) / 2, middle - 13, long, `name ${overall}`, { 'text-anchor': 'middle' }), rate));
    const peer = peers.get(tunnel.remote) ?? { top: middle, bottom: middle, tunnels: [] };
    peer.bottom = middle;
    peer.tunnels.push(tunnel);
    peers.set(tunnel.remote, peer);
    y = top + height + 14;
  }
  const bottom = y - 6;
  const host = s('rect', { x: hostX, y: 12, width: hostW, height: bottom - 12, rx: 10, class: 'host' });
  const boxes = [...peers].map(([address, peer]) => {
    const top = peer.top - 24;
    const height = peer.bottom - peer.top + 48;
    const ports = [...new Set(peer.tunnels.map((one) => (one.remote_port ? `port ${one.remote_port}` : 'IP protocol 115')))].join(', ');
    const centre = top + height / 2;
    return s('g', {}, s('rect', { x: peerX, y: top, width: peerW, height, rx: 10, class: 'host peer' }),
      label(peerX + peerW / 2, centre - 3, cut(address, Math.floor(peerW / CHAR) - 1), 'name', { 'text-anchor': 'middle' }),
      label(peerX + peerW / 2, centre + 14, cut(ports, Math.floor(peerW / CHAR) - 1), 'dim', { 'text-anchor': 'middle' }));
  });
  const { drawn, low } = jointsOf(joints, hostX, picture.model);
  const height = Math.max(bottom, low) + (picture.more ? 40 : 12);
  const rest = picture.more ? andMore(hostX + 18, height - 14, picture.more, 'tunnels', '#/tunnels') : null;
  return svgOf(width, height, picture, [host, label(hostX + 14, 32, cut(here(), Math.floor((hostW - 28) / CHAR)), 'title'), boxes, lines, drawn, nodes, rest]);
}

/** Bridges, namespaces and addresses at the left, each once, pushed apart where they would overlap. */
function jointsOf(joints, hostX, model) {
  const W = hostX - 44;
  const drawn = [];
  let low = 0;
  const sorted = [...joints.values()].map((one) => ({ ...one, y: one.ys.reduce((a, b) => a + b, 0) / one.ys.length })).sort((a, b) => a.y - b.y);
  for (const one of sorted) {
    const y = Math.max(one.y, low + 18);
    for (const to of one.ys) drawn.push(s('path', { d: `M${W + 2} ${y} C ${W + 26} ${y}, ${hostX - 18} ${to}, ${hostX + 8} ${to}`, class: 'wire joint' }));
    const own = one.kind === 'bridge' ? model.bridgeLink(one.short, one.netns) : null;
    const parts = [s('rect', { x: 2, y: y - 14, width: W, height: 28, rx: one.kind === 'bridge' ? 3 : 14, class: own ? `chip ${model.looksOf(own)}` : `joint ${one.kind}` }),
      label(2 + W / 2, y + 4, cut(one.short, Math.floor(W / CHAR) - 1), own ? 'name' : '', { 'text-anchor': 'middle' })];
    drawn.push(own ? link(`#/link/${encodeURIComponent(own.name)}`, `b ${own.name}`, `${own.type} link, ${model.looksOf(own)}:`, parts) : s('g', {}, s('title', {}, one.words), parts));
    low = y + 14;
  }
  return { drawn, low };
}

/** Where there is no room beside each other: a tree, each session below its tunnel. */
function tree(picture, width, live) {
  const nodes = [];
  const lines = [];
  const trunk = 12;
  let y = 44;
  let last = y;
  for (const shown of picture.tunnels) {
    const { tunnel, sessions, more, all, looks: overall } = shown;
    const middle = y + 24;
    last = middle;
    const pipe = s('path', { d: `M${trunk} ${middle - 14} v 6 q 0 8 8 8 h 8`, class: `pipe thin ${overall}` });
    const rate = label(width - 12, y + 36, '', 'rate', { 'text-anchor': 'end' });
    live.push({ node: rate, sessions: all.map((one) => one.session), pipe, idle: idleOf(shown), wrong: shown.wrong });
    lines.push(pipe);
    const room = Math.floor((width - 64) / CHAR);
    nodes.push(link(`#/tunnel/${encodeURIComponent(tunnel.name)}`, `t ${tunnel.name}`, `Tunnel, ${wordOf(overall)}:`,
      s('rect', { x: 28, y: y + 1, width: width - 30, height: 46, rx: 8, class: 'host peer' }),
      label(38, y + 19, MARKS[overall], `mark ${overall}`, HIDDEN),
      label(54, y + 19, cut(`${tunnel.name} → ${tunnel.remote}`, room), 'name'),
      label(54, y + 36, `${tunnel.encap} ${tunnel.datapath}`, 'dim'), rate));
    y += 54;
    let from = y - 7;
    for (const one of sessions) {
      const { session, looks } = one;
      const at = attached(session)[0];
      const right = label(width - 12, y + 14, cut(at ? at.short : session.ifname, 18), 'dim', { 'text-anchor': 'end' });
      const rowRate = label(width - 12, y + 30, '', 'rate', { 'text-anchor': 'end' });
      live.push({ node: rowRate, session, looks });
      lines.push(s('path', { d: `M40 ${from} V ${y + 8} q 0 8 8 8 h 6`, class: `wire ${looks}` }));
      from = y + 8;
      nodes.push(link(`#/session/${encodeURIComponent(session.tunnel)}/${encodeURIComponent(session.name)}`, `s ${keyOf(session.tunnel, session.name)}`, describe(one),
        s('rect', { x: 54, y, width: width - 56, height: 36, rx: 6, class: `chip ${looks}` }),
        label(63, y + 21, MARKS[looks], `mark ${looks}`, HIDDEN), label(80, y + 14, cut(session.name, Math.floor((width - 96) / CHAR) - Math.min(18, (at ? at.short : session.ifname).length)), 'name'), right, rowRate));
      y += 41;
    }
    if (more) { nodes.push(andMore(62, y + 14, more, 'sessions', `#/tunnel/${encodeURIComponent(tunnel.name)}`)); y += 26; }
    y += 8;
  }
  lines.unshift(s('path', { d: `M${trunk} 38 V ${last - 10}`, class: 'wire' }));
  if (picture.more) { nodes.push(andMore(28, y + 16, picture.more, 'tunnels', '#/tunnels')); y += 28; }
  const host = [s('rect', { x: 1, y: 2, width: width - 3, height: 36, rx: 8, class: 'host' }), label(14, 25, cut(here(), Math.floor((width - 30) / CHAR)), 'title')];
  return svgOf(width, y + 4, picture, [lines, host, nodes]);
}
