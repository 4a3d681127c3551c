// What is wrong, how that is known, and what mends it: the findings of `l2tpctl doctor`, when they are asked for.

import { get, told } from './api.js';
import { h, state, text } from './dom.js';
import { count, many } from './format.js';
import { action } from './lists.js';

const LISTEN_S = 2;
const MOST = 50;
const LOOKS = { stops: 'missing', loses: 'trouble', none: 'down' };
const HARM = { stops: 'nothing passes', loses: 'some is lost', none: 'nothing is lost' };

/** A panel that asks the doctor and lists what it finds: each cause with its subjects, what does most harm first.
 *
 *  tunnel, session: what it is about; all tunnels without them. */
export function doctorPanel({ tunnel = null, session = null } = {}) {
  const verdict = h('p', { class: 'hint', role: 'status' }, `Listens to what arrives for the ${tunnel === null ? 'tunnels' : 'tunnel'} for two seconds, and changes nothing.`);
  const list = h('ul', { class: 'troubles', hidden: true });
  const button = action(null, 'Find out why', look);
  const ours = ({ subject }) => session === null || subject === `tunnel ${tunnel}` || subject === `session ${tunnel}/${session}`;
  async function look() {
    button.disabled = true;
    text(verdict, 'Looking and listening …');
    try {
      const found = await get(`v1/doctor?listen_s=${LISTEN_S}${tunnel === null ? '' : `&tunnel=${encodeURIComponent(tunnel)}`}`);
      const findings = found.findings.filter(ours);
      const groups = grouped(findings);
      const others = found.findings.length - findings.length;
      const first = session !== null && others && !findings.length ? 'Nothing is wrong with this session' : found.verdict;
      const left = [...found.unseen.map((one) => `Could not be looked at: ${one}.`), ...(others ? [`${many(others, 'finding')} about other sessions of the tunnel: see its page.`] : []), ...(groups.length > MOST ? [`${groups.length - MOST} more causes are not shown.`] : [])];
      text(verdict, [`${first}.`, ...left].join(' '));
      list.replaceChildren(...groups.slice(0, MOST).map(row));
      list.hidden = !groups.length;
    } catch (failure) {
      text(verdict, told(failure));
      list.hidden = true;
    } finally {
      button.disabled = false;
    }
  }
  return h('section', { class: 'panel', 'aria-labelledby': 'doctor-title' },
    h('header', { class: 'bar' }, h('h2', { id: 'doctor-title' }, 'Why nothing passes'), button), verdict, list);
}

/** Findings of one cause that do the same harm, together; in the order in which they came: the worst first. */
function grouped(findings) {
  const groups = new Map();
  for (const one of findings) {
    const key = `${one.harm} ${one.cause}`;
    if (groups.has(key)) groups.get(key).push(one);
    else groups.set(key, [one]);
  }
  return [...groups.values()];
}

function row(group) {
  const [first] = group;
  const head = h('div', { class: 'line' }, state(LOOKS[first.harm] ?? 'down', HARM[first.harm]), h('b', { class: 'mono' }, first.subject), h('span', {}, first.says));
  const rest = group.length > 1
    ? h('details', {}, h('summary', {}, `${count(group.length - 1)} more of this cause`), h('ul', {}, group.slice(1, MOST + 1).map((one) => h('li', { class: 'next-one' }, h('div', { class: 'line' }, h('b', { class: 'mono' }, one.subject), h('span', {}, one.says)), about(one)))),
      group.length > MOST + 1 ? h('p', { class: 'hint' }, `${group.length - MOST - 1} more are not shown.`) : null)
    : null;
  return h('li', { class: LOOKS[first.harm] ?? '', 'data-finding': first.cause }, head, about(first), rest);
}

const about = ({ evidence, remedy }) => [...evidence.map((one) => h('p', { class: 'hint mono' }, one)), remedy ? h('p', { class: 'hint' }, 'Remedy: ', remedy) : null];
