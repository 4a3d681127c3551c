// The first page: how things are, at a glance.

import { h, mark, text } from '../dom.js';
import { bits, count, packets } from '../format.js';
import { action } from '../lists.js';
import { pair } from '../plot.js';
import { Layers } from '../layers.js';
import { Topology } from '../topology.js';
import { eventRow } from '../told.js';
import { doctorPanel } from '../doctor.js';
import { troublePanel } from '../trouble.js';
import { addTunnel } from '../forms.js';

const EVENTS = 8;

export function overview(app) {
  const { model } = app;
  const tiles = {
    tunnels: tile('Tunnels up', '#/tunnels'),
    sessions: tile('Sessions up', '#/tunnels'),
    rx: tile('In'),
    tx: tile('Out'),
    packets: tile('Packets'),
    trouble: tile('Trouble', '#/tunnels?condition=trouble'),
  };
  const topology = new Topology(model);
  const layers = new Layers(model);
  const plots = pair(bits, packets);
  const trouble = troublePanel(model);
  const events = h('ol', { class: 'events' });
  const element = h('div', { class: 'view' },
    h('div', { class: 'title' }, h('h1', {}, 'Overview'), app.may('write') ? action('plus', 'Add tunnel', addTunnel, 'primary') : null),
    h('ul', { class: 'tiles' }, Object.values(tiles).map((one) => one.element)),
    trouble.element,
    doctorPanel(),
    h('div', { class: 'plots' }, plots.map((one) => one.element)),
    topology.element,
    layers.element,
    h('section', { class: 'panel', 'aria-labelledby': 'recent-title' },
      h('header', { class: 'bar' }, h('h2', { id: 'recent-title' }, 'Recent events'), h('a', { href: '#/events' }, 'All events')), events));

  function numbers() {
    const { tunnels, sessions } = model.tally();
    tiles.tunnels.show(`${count(tunnels.up)}`, ` / ${count(tunnels.all)}`, tunnels.missing + tunnels.incomplete > 0);
    tiles.sessions.show(`${count(sessions.up)}`, ` / ${count(sessions.all)}`, sessions.missing + sessions.incomplete > 0, sessions.silent ? `Sessions up; ${count(sessions.silent)} ${sessions.silent === 1 ? 'hears' : 'hear'} nothing` : 'Sessions up');
    tiles.rx.show(...split(bits(model.now.rx)));
    tiles.tx.show(...split(bits(model.now.tx)));
    tiles.packets.show(...split(packets(model.now.rxp + model.now.txp)));
    const found = trouble.count();
    tiles.trouble.show(count(found), found ? '' : ' none', found > 0);
  }
  return {
    element,
    title: 'Overview',
    rates: true,
    shown() {
      topology.draw();
      layers.draw();
      plots.forEach((one) => one.show(model.total));
      this.update(new Set(['structure', 'rates', 'events']));
    },
    update(what) {
      if (what.has('structure')) { topology.draw(); layers.draw(); }
      else if (what.has('rates')) { topology.rates(); layers.rates(); }
      if (what.has('rates')) plots.forEach((one) => one.update());
      if (what.has('structure') || what.has('rates')) { trouble.update(); numbers(); }
      if (what.has('events')) {
        const rows = model.events.slice(0, EVENTS).map(eventRow);
        events.replaceChildren(...(rows.length ? rows : [h('li', { class: 'empty' }, 'Nothing has happened since this page was opened.')]));
      }
      if (what.has('theme')) plots.forEach((one) => one.recolour());
    },
    destroy() { topology.destroy(); layers.destroy(); plots.forEach((one) => one.destroy()); },
  };
}

const split = (words) => { const at = words.indexOf(' '); return at < 0 ? [words, ''] : [words.slice(0, at), words.slice(at)]; };

function tile(name, href) {
  const value = h('b', { class: 'num' });
  const unit = h('small', { class: 'num' });
  const flag = h('span', { hidden: true, class: 'flag' }, mark('trouble'));
  const title = h('span', {}, name);
  const body = [h('span', { class: 'tile-name' }, title, ' ', flag), h('span', { class: 'tile-value' }, value, unit)];
  const element = h('li', { class: 'tile' }, href ? h('a', { href }, body) : h('div', {}, body));
  return {
    element,
    show(main, rest, bad = false, called = name) {
      text(title, called);
      text(value, main);
      text(unit, rest);
      flag.hidden = !bad;
      element.classList.toggle('bad', bad);
    },
  };
}
