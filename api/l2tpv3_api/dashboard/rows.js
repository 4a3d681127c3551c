// A long list of which only the rows in sight are in the document. By keyboard: one row takes part in the tab order,
// and arrows, Home, End and Page move among them. The row in focus stays in the document wherever the list is scrolled.

import { h } from './dom.js';

const SPARE = 6;

/** How a list is sorted: by the word of a column, `down` for the largest first. Names are sorted upwards. */
export class Order {
  constructor() {
    this.by = 'name';
    this.down = false;
  }

  /** Sort by that column; by it already: the other way round. */
  turn(by) {
    this.down = by === this.by ? !this.down : by !== 'name';
    this.by = by;
  }
}

/** `render(item)` gives {element, update}; `key(item)` tells rows apart; `height()` is that of each, in pixels.
 *  head: a name, a class and, where the list can be sorted by that column, its word; order, sorted(): what to turn, and to call then. */
export class Rows {
  constructor({ label, head, render, key, height, order = null, sorted = null }) {
    this.order = order;
    this.sorted = sorted;
    this.heads = [];
    this.render = render;
    this.key = key;
    this.height = height;
    this.items = [];
    this.index = new Map();
    this.rows = new Map();
    this.active = null;
    this.body = h('div', { class: 'rows-body', role: 'rowgroup' });
    this.head = h('div', { class: 'row head', role: 'row' }, head.map((one) => this.#column(...one)));
    this.#tellOrder();
    this.element = h('div', { class: 'rows', role: 'table', 'aria-label': label, onkeydown: (event) => this.#keys(event), onfocusin: (event) => this.#focused(event) },
      h('div', { role: 'rowgroup', class: 'rows-head' }, this.head), this.body);
    this.scroll = () => { this.wanted ??= requestAnimationFrame(() => { this.wanted = null; this.draw(); }); };
    window.addEventListener('scroll', this.scroll, { passive: true });
    window.addEventListener('resize', this.scroll, { passive: true });
  }

  #column(name, className, by) {
    const column = h('span', { role: 'columnheader', class: className }, by && this.order ? h('button', { type: 'button', class: 'sorter', onclick: () => { this.order.turn(by); this.#tellOrder(); this.sorted(); } }, name) : name);
    if (by && this.order) this.heads.push([by, column]);
    return column;
  }

  #tellOrder() {
    for (const [by, column] of this.heads) {
      if (by === this.order.by) column.setAttribute('aria-sort', this.order.down ? 'descending' : 'ascending');
      else column.removeAttribute('aria-sort');
    }
  }

  destroy() {
    window.removeEventListener('scroll', this.scroll);
    window.removeEventListener('resize', this.scroll);
    if (this.wanted) cancelAnimationFrame(this.wanted);
  }

  /** Show these items. Rows that are there already are kept, and brought up to date. */
  show(items) {
    this.items = items;
    this.index = new Map(items.map((item, i) => [this.key(item), i]));
    this.element.setAttribute('aria-rowcount', items.length + 1);
    if (!this.index.has(this.active)) this.active = items.length ? this.key(items[0]) : null;
    this.draw();
  }

  /** New rates: only rows in the document are touched. */
  update() {
    for (const [key, row] of this.rows) row.update(this.items[this.index.get(key)]);
  }

  draw() {
    if (!this.element.isConnected) return;
    const height = this.height();
    const total = `${this.items.length * height}px`;
    if (this.total !== total) { this.total = total; this.body.style.height = total; }
    const top = -this.body.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / height) - SPARE);
    const last = Math.min(this.items.length, Math.ceil((top + window.innerHeight) / height) + SPARE);
    const wanted = new Set();
    for (let i = first; i < last; i += 1) wanted.add(this.key(this.items[i]));
    if (this.active !== null) wanted.add(this.active);
    for (const [key, row] of this.rows) {
      if (!wanted.has(key) || !this.index.has(key)) { row.element.remove(); this.rows.delete(key); }
    }
    for (const key of wanted) this.#place(key, height);
  }

  #place(key, height) {
    const i = this.index.get(key);
    const item = this.items[i];
    let row = this.rows.get(key);
    if (row && row.item !== item && row.update) row.update(item);
    if (!row) {
      row = { ...this.render(item) };
      row.update(item);
      row.link = row.element.querySelector('a');
      row.element.dataset.key = key;
      this.rows.set(key, row);
      // In the order of the list, as a screen reader goes by the document's.
      let next = this.body.lastElementChild;
      if (!next || (this.index.get(next.dataset.key) ?? Infinity) < i) next = null;
      else next = [...this.body.children].find((other) => (this.index.get(other.dataset.key) ?? Infinity) > i) ?? null;
      this.body.insertBefore(row.element, next);
    }
    row.item = item;
    if (row.at !== i * height) {
      row.at = i * height;
      row.element.style.transform = `translateY(${row.at}px)`;
      row.element.setAttribute('aria-rowindex', i + 2);
    }
    this.#inTabOrder(row, key === this.active);
  }

  #focused(event) {
    const key = event.target.closest('[data-key]')?.dataset.key;
    if (key === undefined || key === this.active) return;
    this.#makeActive(key);
  }

  #makeActive(key) {
    const before = this.rows.get(this.active);
    if (before) this.#inTabOrder(before, false);
    this.active = key;
    const row = this.rows.get(key);
    if (row) this.#inTabOrder(row, true);
  }

  #inTabOrder(row, whether) {
    const index = whether ? 0 : -1;
    if (row.tab !== index) { row.tab = index; row.link.tabIndex = index; }
  }

  #keys(event) {
    const page = Math.max(1, Math.floor(window.innerHeight / this.height()) - 3);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey || !this.items.length) return;
    event.preventDefault();
    const now = this.index.get(this.active) ?? 0;
    const to = Math.max(0, Math.min(this.items.length - 1, now + moves[event.key]));
    this.#makeActive(this.key(this.items[to]));
    this.draw();
    const { link } = this.rows.get(this.active);
    link.focus({ preventScroll: true });
    link.closest('.row').scrollIntoView({ block: 'nearest' });
  }
}
