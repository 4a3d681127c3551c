// Forms to add and change links: what every link has, and what its type has.

import { path, send } from './api.js';
import { confirm, field, notice } from './dialog.js';
import { h } from './dom.js';
import { edit, form, make, NAME } from './forms.js';
import { learnLabels } from './words.js';

/** Types, each with what it is. */
export const TYPES = [
  ['bridge', 'bridge: one broadcast domain'], ['bond', 'bond: etherchannel'], ['alias', 'alias: in front of an exchangeable NIC'], ['macvlan', 'macvlan: a card of its own on a NIC'],
  ['ipvlan', 'ipvlan: a share of a NIC by address'], ['vlan', 'vlan: one VLAN of what is beneath'], ['vnic', 'vnic: a card relayed in user space'], ['port', 'port: two netdevs wired together'],
];

const OVER = { name: 'over', label: 'Over', hint: 'Netdevs, sessions as TUNNEL/SESSION, other links, with spaces between.', placeholder: 'eth1 siteb/lan', list: true, wide: true };
const NETDEV = [
  { name: 'address', label: 'Addresses', hint: 'With prefix length, with spaces between.', placeholder: '10.9.0.1/24', list: true, wide: true },
  { name: 'mtu', label: 'MTU', kind: 'number', placeholder: 'auto', hint: 'Empty or “auto”: what is beneath allows.' },
];
const PLACE = { name: 'over-netns', label: 'Namespace beneath', hint: 'Where what it is over is. Empty: where it is found.' };
const MORE = [
  { name: 'ifname', label: 'Netdev', hint: 'Empty: called as the link.' },
  { name: 'mac', label: 'MAC address', placeholder: 'derived', hint: 'Empty: of this machine and the name.' },
  { name: 'netns', label: 'Network namespace', hint: 'Of its netdev. Empty: where what it is over is.' },
  { name: 'up', label: 'Set up', kind: 'switch', initial: true },
];
const TRANSIENT = { name: 'transient', label: 'Forget at the next boot', kind: 'switch' };
const choice = (name, label, ...options) => ({ name, label, kind: 'select', options: options.map((one) => [one].flat()) });
const list = (name, label, hint, placeholder) => ({ name, label, hint, placeholder, list: true });
const number = (name, label, placeholder, hint) => ({ name, label, kind: 'number', placeholder, hint });

/** What only some types have; and what of it is seldom wanted. */
const OWN = {
  bridge: [
    choice('stp', 'Spanning tree', ['auto', 'auto: where a loop can be'], 'on', 'off'),
    list('isolated', 'Isolated members', 'They hear only the others: split horizon.', 'siteb/lan sitec/lan'),
    { name: 'vlan-filtering', label: 'VLAN filtering', kind: 'switch' },
    list('vlan', 'VLANs of members', 'DEV=VLAN+VLAN-VLAN, “u” behind the untagged one.', 'eth1=10u+20-29'),
    { name: 'igmp-snooping', label: 'IGMP snooping', kind: 'switch', initial: true },
  ],
  bond: [
    choice('mode', 'Mode', 'active-backup', 'round-robin', 'xor', '802.3ad'), choice('hash', 'Flows by', 'layer3+4', 'layer2+3', 'layer2'),
    { name: 'primary', label: 'Primary', hint: 'The member to prefer.' }, number('miimon-ms', 'Look at carriers, ms', '100'),
    list('arp-target', 'Ask these hosts', 'IPv4 addresses, instead of looking at carriers.', '192.0.2.1'), number('arp-interval-ms', 'Ask every, ms'),
  ],
  alias: [],
  macvlan: [choice('mode', 'Mode', 'bridge', 'private', 'vepa', 'passthru', 'source'), list('source-mac', 'Source MACs', 'In mode source: whose frames it gets.')],
  ipvlan: [choice('mode', 'Mode', 'l2', 'l3', 'l3s'), choice('flag', 'Among themselves', 'bridge', 'private', 'vepa')],
  vlan: [{ ...number('id', 'VLAN', '10', '1 to 4094.'), required: true }, choice('protocol', 'Tag', '802.1q', '802.1ad')],
  vnic: [],
  port: [],
};
const RARE = {
  bridge: [number('priority', 'Priority', '32768', 'To become the spanning tree’s root: the lowest does.'), number('forward-delay-ms', 'Forward delay, ms', '4000'), number('ageing-s', 'Ageing, seconds', '300')],
  bond: [choice('lacp-rate', 'LACP rate', 'fast', 'slow'), number('min-links', 'Members at least', '0')],
};
const plainOf = (type) => [OVER, ...OWN[type], ...(type === 'port' ? [] : NETDEV)];
const moreOf = (type) => (type === 'port' ? [PLACE] : [...RARE[type] ?? [], ...MORE, PLACE]);

learnLabels([OVER, PLACE, ...Object.values(OWN).flat(), ...Object.values(RARE).flat()].filter(({ name }) => !['id', 'vlan'].includes(name)));

/** A form for a new link; its fields follow the type. What was typed stays, where the other type has it too. */
export function addLink(over = '') {
  const type = field({ name: 'type', label: 'Type', kind: 'select', options: TYPES, required: true });
  const name = field(NAME);
  const plain = h('div', { class: 'fields wide' });
  const more = h('div', { class: 'fields' });
  let own = [];
  let folded = [];
  const build = () => {
    const typed = new Map([...own, ...folded].map((one) => [`${one.spec.kind ?? ''} ${one.spec.name}`, one.spec.kind === 'switch' ? one.input.checked : one.input.value]));
    const make = (spec) => {
      const before = spec.kind === 'select' ? undefined : typed.get(`${spec.kind ?? ''} ${spec.name}`);
      return field(spec, before ?? (spec.name === 'over' ? over : spec.initial));
    };
    own = plainOf(type.input.value).map(make);
    folded = [...moreOf(type.input.value), TRANSIENT].map(make);
    plain.replaceChildren(...own.map((one) => one.element));
    more.replaceChildren(...folded.map((one) => one.element));
  };
  type.input.addEventListener('change', build);
  build();
  form('Add link', 'Add', { fields: () => [name, type, ...own, ...folded], plain: [h('div', { class: 'fields' }, name.element, type.element), plain], more }, async ({ name: called, ...words }) => {
    await make('link', called, (one) => path('links', one), words);
    notice(`Link ${called} is made.`);
    location.hash = `#/link/${encodeURIComponent(called)}`;
  });
}

/** A form to change a link, as it is on record now. */
export const editLink = (name) => edit(`Change link ${name}`, path('links', name), ({ type }) => plainOf(type), ({ type }) => moreOf(type));

/** Ask, then remove a link. */
export function removeLink(name, ifname) {
  confirm(`Remove link ${name}?`, [ifname ? `Its netdev ${ifname} goes with it, at once. What it is over stays.` : 'What it is over stays.'], 'Remove', async () => {
    await send('DELETE', path('links', name));
    notice(`Link ${name} is removed.`);
    location.hash = '#/links';
  });
}
