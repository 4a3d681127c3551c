// The map of a fleet: hosts in a circle, with one that all others are joined to in the middle, and lines between them.

import { s } from './dom.js';
import { MARKS } from './looks.js';
import { byName } from './model.js';

const CENTRE = 300;
const MIDDLE_FROM = 3;
/** From so many hosts on, names stand in the direction of the spokes, where they have room. */
const TURNED_FROM = 16;

/** How bad a wire's end looks: what is worst comes first. */
const WORST = ['missing', 'trouble', 'silent', 'unknown', 'down', 'up'];

/** How one end of a wire looks, by what its host says of it. */
export function looksOfEnd({ condition, hearing }) {
  if (condition === 'unknown') return 'unknown';
  if (condition === 'not made' || condition === 'missing') return 'missing';
  if (condition === 'incomplete') return 'trouble';
  if (condition !== 'up') return 'down';
  return { unheard: 'silent', dead: 'trouble' }[hearing] ?? 'up';
}

/** How a wire looks: as the worse of its ends does. */
export const looksOfWire = ({ ends }) => WORST.find((looks) => ends.some((end) => looksOfEnd(end) === looks));

/** How a host looks: whether it could be asked, and is as it was committed. */
export const looksOfHost = ({ version, good }) => (good ? 'up' : version === null ? 'unknown' : 'trouble');

/** In words. */
export const WORDS = { up: 'up', silent: 'hears nothing', trouble: 'trouble', missing: 'not there', down: 'down', unknown: 'not known' };
export const SHAPES = { ...MARKS, unknown: '?' };

/** The host that all others are joined to, and nothing else is; null without one. */
export function hubOf(hosts, wires) {
  if (hosts.length <= MIDDLE_FROM || wires.length !== hosts.length - 1) return null;
  return hosts.map((one) => one.name).find((name) => wires.every(({ ends }) => ends.some((end) => end.host === name))) ?? null;
}

/** Where each host stands, in a square of 600: {x, y, angle} by name; angle is null in the middle. */
export function placesOf(hosts, wires) {
  const hub = hubOf(hosts, wires);
  const around = hosts.map((one) => one.name).filter((name) => name !== hub).sort(byName); // each stays where it is, however it answers
  const radius = around.length < 4 ? 130 : 205;
  const places = new Map(around.map((name, i) => {
    const angle = (i / around.length) * 2 * Math.PI - Math.PI / 2;
    return [name, { x: CENTRE + radius * Math.cos(angle), y: CENTRE + radius * Math.sin(angle), angle }];
  }));
  if (hub !== null) places.set(hub, { x: CENTRE, y: CENTRE, angle: null });
  return places;
}

/** The picture. chosen: what is marked, {host} or {wire}, or null. choose: called with such a thing that is clicked on.
 *
 *  All that it shows stands in tables beside it, where the keyboard and screen readers reach it. */
export function fleetMap({ hosts, wires }, chosen, choose) {
  const places = placesOf(hosts, wires);
  const lines = wires.filter(({ ends }) => ends.every((end) => places.has(end.host))).map((wire) => [wire, looksOfWire(wire)])
    .sort(([, a], [, b]) => WORST.indexOf(b) - WORST.indexOf(a)); // what is wrong lies on top
  const good = wires.filter((one) => one.good).length;
  return s('svg', { class: `fleet-map${wires.length > 150 ? ' dense' : ''}`, viewBox: '-60 30 720 540', role: 'img', 'aria-label': `${hosts.length} hosts, ${good} of ${wires.length} pseudowires are up; the tables have all of them` },
    lines.map(([wire, looks]) => {
      const [a, b] = wire.ends.map((end) => places.get(end.host));
      const at = { x1: a.x, y1: a.y, x2: b.x, y2: b.y };
      const marked = chosen?.wire === wire.name || (chosen?.host && wire.ends.some((end) => end.host === chosen.host));
      return s('g', { class: `fleet-wire ${looks}${marked ? ' chosen' : ''}`, 'data-wire': wire.name, onclick: () => choose({ wire: wire.name }) }, s('title', {}, `${wire.name}: ${WORDS[looks]}`), s('line', { class: 'hit', ...at }), s('line', { class: 'line', ...at }));
    }),
    hosts.map((host) => hostNode(host, places.get(host.name), hosts.length, chosen?.host === host.name, choose)));
}

function hostNode(host, { x, y, angle }, many, marked, choose) {
  const looks = looksOfHost(host);
  const left = angle !== null && Math.cos(angle) < -0.01;
  const across = angle === null || (many < TURNED_FROM && Math.abs(Math.cos(angle)) < 0.3); // its name stands above or below
  const turned = many >= TURNED_FROM && angle !== null;
  const away = 17;
  const to = across ? { x, y: angle === null || Math.sin(angle) > 0 ? y + 30 : y - 20 } : { x: x + away * Math.cos(angle), y: y + away * Math.sin(angle) };
  const degrees = angle === null ? 0 : (angle * 180) / Math.PI + (left ? 180 : 0);
  return s('g', { class: `fleet-host ${looks}${marked ? ' chosen' : ''}`, 'data-host': host.name, onclick: () => choose({ host: host.name }) }, s('title', {}, `${host.name}: ${host.state}`),
    s('circle', { cx: x, cy: y, r: many >= TURNED_FROM ? 7 : 11 }), looks === 'up' ? null : s('text', { class: 'sign', x, y: y + 4, 'text-anchor': 'middle' }, SHAPES[looks]),
    s('text', { class: 'name', ...to, 'text-anchor': across ? 'middle' : left ? 'end' : 'start', 'dominant-baseline': across ? 'auto' : 'central', transform: turned ? `rotate(${degrees} ${to.x} ${to.y})` : null }, host.name));
}
