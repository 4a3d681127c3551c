// What is wrong, how that is known, and what mends it: the findings of `l2tpctl doctor`, when they are asked for.

import { get, told } from './api.js';
import { h, text } from './dom.js';
import { many } from './format.js';
import { action } from './lists.js';

const LISTEN_S = 2;
const MOST = 50;
const STATE = { stops: 'missing', loses: 'trouble', none: '' };

/** A panel that asks the doctor, of all tunnels, and lists what it finds: the worst first, each cause with its subjects. */
export function doctorPanel() {
  const verdict = h('p', { class: 'hint', role: 'status' }, 'Listens to what arrives for the tunnels for two seconds, and changes nothing.');
  const list = h('ul', { class: 'troubles', hidden: true });
  const button = action(null, 'Find out why', look);
  async function look() {
    button.disabled = true;
    text(verdict, 'Looking and listening …');
    try {
      const found = await get(`v1/doctor?listen_s=${LISTEN_S}`);
      const groups = grouped(found.findings);
      const left = [...found.unseen.map((one) => `Could not be looked at: ${one}.`), ...(groups.length > MOST ? [`${groups.length - MOST} more findings are not shown.`] : [])];
      text(verdict, [`${found.verdict}.`, ...left].join(' '));
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

/** Findings that say the same, as one, with all their subjects; in the order in which they came. */
function grouped(findings) {
  const groups = new Map();
  for (const one of findings) {
    const key = `${one.cause} ${one.says} ${one.remedy}`;
    if (groups.has(key)) groups.get(key).subjects.push(one.subject);
    else groups.set(key, { ...one, subjects: [one.subject] });
  }
  return [...groups.values()];
}

function row({ subjects, harm, says, evidence, remedy, cause }) {
  const about = subjects.length > 1 ? many(subjects.length, 'subject') : subjects[0];
  return h('li', { class: STATE[harm] ?? '', 'data-finding': cause },
    h('div', { class: 'line' }, h('b', { class: 'mono', title: subjects.join(', ') }, about), h('span', {}, says)),
    evidence.map((one) => h('p', { class: 'hint mono' }, one)),
    remedy ? h('p', { class: 'hint' }, remedy) : null);
}
