// What is layered on what: netdevs and sessions at the left, on each the links that are over it, and theirs. Where that
// does not fit, an indented list. With many links it shows the worst, and the rest as a number.

import { h, mark, s } from './dom.js';
import { cut } from './format.js';
import { MARKS, RANK, wordOf } from './looks.js';
import { byName } from './model.js';

const NARROW = 720;
const SHOWN = 24;
const CHAR = 7.3;
const CHIP = 38;
const ROW = 46;

export class Layers {
  /** all: whether it leads to the page with all of them. */
  constructor(model, { all = true } = {}) {
    this.model = model;
    this.width = 0;
    this.said = null;
    this.box = h('div', { class: 'topology' });
    this.element = h('section', { class: 'panel', 'aria-labelledby': 'layers-title', hidden: true },
      h('header', { class: 'bar' }, h('h2', { id: 'layers-title' }, 'Layers'), all ? h('a', { href: '#/links' }, 'All links') : null), this.box);
    this.watch = new ResizeObserver(() => {
      const width = Math.floor(this.box.clientWidth);
      if (width && width !== this.width) { this.width = width; this.draw(); }
    });
    this.watch.observe(this.box);
  }

  destroy() { this.watch.disconnect(); }

  /** Things have come, gone or changed: the picture anew, if it looks different. */
  draw() {
    const { model } = this;
    this.element.hidden = model.links.size === 0;
    if (this.element.hidden) return;
    this.width ||= Math.floor(this.box.clientWidth);
    if (!this.width) return;
    const picture = choose(model);
    const said = JSON.stringify([this.width, picture]);
    if (said === this.said) return;
    this.said = said;
    const focused = document.activeElement?.getAttribute('data-key');
    this.box.replaceChildren(this.width < NARROW ? list(picture) : wide(picture, this.width));
    if (focused) this.box.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  /** New rates: trouble may have come or gone. */
  rates() { if (!this.element.hidden) this.draw(); }
}

/** Nodes by key, each with its level, and what each is over. */
function choose(model) {
  const all = [...model.links.values()].sort((a, b) => model.rankOf(a) - model.rankOf(b) || byName(a.name, b.name));
  const shown = all.slice(0, SHOWN).sort((a, b) => byName(a.name, b.name));
  const names = new Set(shown.map((one) => one.name));
  const nodes = new Map();
  const level = (name, seen = new Set()) => {
    if (!names.has(name) || seen.has(name)) return 0;
    const { over } = model.links.get(name);
    return 1 + Math.max(0, ...over.map((one) => level(one, new Set([...seen, name]))));
  };
  const beneath = (over, missing) => {
    if (names.has(over)) return `l ${over}`;
    const key = `n ${over}`;
    if (!nodes.has(key)) nodes.set(key, { key, level: 0, ...base(model, over, missing) });
    return key;
  };
  for (const one of shown) {
    const lacking = one.notes.filter((note) => note.endsWith(' is not there')).map((note) => note.slice(0, -13));
    const over = one.over.map((name) => beneath(name, lacking.includes(name)));
    for (const session of model.bridged(one)) over.push(beneath(`${session.tunnel}/${session.name}`, false));
    const node = { key: `l ${one.name}`, level: level(one.name), name: one.name, looks: model.looksOf(one), href: `#/link/${encodeURIComponent(one.name)}`, detail: detail(one), words: `${one.type} link, ${model.looksOf(one)}`, over: [...new Set(over)] };
    nodes.set(node.key, node);
  }
  return { nodes: [...nodes.values()], more: all.length - shown.length };
}

/** Something that links are over and that is none: a session, another link that is not shown, a netdev. */
function base(model, name, missing) {
  const session = model.sessions.get(name);
  if (session) return { name, looks: model.looksOfSession(session), href: `#/session/${name.split('/').map(encodeURIComponent).join('/')}`, detail: session.ifname, words: `Session, ${wordOf(model.looksOfSession(session))}`, over: [] };
  const link = model.links.get(name);
  if (link) return { name, looks: model.looksOf(link), href: `#/link/${encodeURIComponent(name)}`, detail: link.type, words: `${link.type} link, ${model.looksOf(link)}`, over: [] };
  return { name, looks: missing ? 'missing' : 'up', href: null, detail: missing ? 'not there' : 'netdev', words: 'Netdev', over: [] };
}

const detail = ({ type, wanted }) => {
  if (type === 'vlan') return `vlan ${wanted.id}`;
  return wanted.mode ? `${type}, ${wanted.mode}` : type;
};

const HIDDEN = { 'aria-hidden': 'true' };
const label = (x, y, words, className = '', props = {}) => s('text', { x, y, class: className, ...props }, words);

/** Columns by level; each node at the mean height of what it is over, as far as there is room. */
function wide({ nodes, more }, width) {
  const levels = Math.max(...nodes.map((one) => one.level)) + 1;
  const w = Math.min(250, Math.floor((width - 4 - (levels - 1) * 50) / levels));
  const gap = levels > 1 ? Math.min(110, Math.floor((width - 4 - levels * w) / (levels - 1))) : 0;
  const at = new Map();
  let bottom = 0;
  const users = new Map();
  for (const node of nodes) for (const key of node.over) users.set(key, Math.min(users.get(key) ?? Infinity, nodes.indexOf(node)));
  for (let level = 0; level < levels; level += 1) {
    const column = nodes.filter((one) => one.level === level);
    const want = (one) => (level ? one.over.reduce((sum, key) => sum + (at.get(key)?.y ?? 0), 0) / Math.max(1, one.over.length) : users.get(one.key) ?? 0);
    column.sort((a, b) => want(a) - want(b) || byName(a.name, b.name));
    let y = 2;
    for (const one of column) {
      y = level ? Math.max(y, Math.min(want(one), bottom)) : y;
      at.set(one.key, { x: 2 + level * (w + gap), y });
      y += ROW;
      bottom = Math.max(bottom, y);
    }
  }
  const lines = [];
  for (const node of nodes) {
    const to = at.get(node.key);
    for (const key of node.over) {
      const from = at.get(key);
      const [x1, y1, x2, y2] = [from.x + w, from.y + CHIP / 2, to.x, to.y + CHIP / 2];
      const bend = Math.max(24, (x2 - x1) / 2);
      lines.push(s('path', { d: `M${x1} ${y1} C ${x1 + bend} ${y1}, ${x2 - bend} ${y2}, ${x2} ${y2}`, class: `wire ${worse(nodes.find((one) => one.key === key).looks, node.looks)}` }));
    }
  }
  const chips = nodes.map((node) => chip(node, at.get(node.key), w));
  const rest = more ? s('a', { href: '#/links', class: 'node more' }, label(2, bottom + 12, `+ ${more} more links`, 'dim')) : null;
  return s('svg', { viewBox: `0 0 ${width} ${bottom + (more ? 22 : 2)}`, width, height: bottom + (more ? 22 : 2), role: 'group', 'aria-label': 'Links, and what they are layered on; each is a link to its page' }, lines, chips, rest);
}

const worse = (one, other) => (RANK[one] <= RANK[other] ? one : other);

function chip(node, { x, y }, w) {
  const room = Math.floor((w - 40) / CHAR);
  const words = `${node.words}${node.over.length ? `, over ${node.over.map((key) => key.slice(2)).join(', ')}` : ''}:`;
  const parts = [s('rect', { x, y, width: w, height: CHIP, rx: node.href ? 6 : 14, class: node.href || node.looks === 'missing' ? `chip ${node.looks}` : 'joint address' }),
    label(x + 10, y + 24, MARKS[node.looks], `mark ${node.looks}`, HIDDEN),
    label(x + 28, y + 16, cut(node.name, room), node.href ? 'name' : ''), label(x + 28, y + 31, cut(node.detail, room), 'dim')];
  return node.href ? s('a', { href: node.href, 'data-key': node.key, class: 'node' }, label(0, 0, `${words} `, 'told'), parts) : s('g', {}, parts);
}

/** The same as a list, each link with what it is over. */
function list({ nodes, more }) {
  const byKey = new Map(nodes.map((one) => [one.key, one]));
  const linked = (one, key) => (one.href ? h('a', { href: one.href, class: 'mono', 'data-key': key }, one.name) : h('span', { class: 'mono' }, one.name));
  return h('ul', { class: 'plain' }, nodes.filter((one) => one.key.startsWith('l ')).map((one) => h('li', {},
    h('span', { class: `state ${one.looks}` }, mark(one.looks), h('span', { class: 'unseen' }, `${one.looks}: `)), ' ', linked(one, one.key), h('span', { class: 'dim' }, ` ${one.detail}${one.over.length ? ' over ' : ''}`),
    one.over.map((key, i) => [i ? ', ' : '', linked(byKey.get(key), null)]))),
  more ? h('li', {}, h('a', { href: '#/links' }, `+ ${more} more links`)) : null);
}
