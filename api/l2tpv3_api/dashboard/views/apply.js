// A whole wanted state: edited, its plan looked at, applied with a way back.

import { get, path, request, told } from '../api.js';
import { confirm, field, notice } from '../dialog.js';
import { h, text } from '../dom.js';
import { many } from '../format.js';
import { action } from '../lists.js';
import { NOBODY, ofApply, subjectOf } from '../told.js';
import { onThisPage } from '../words.js';

const TYPES = { toml: 'application/toml', json: 'application/json' };
const kept = { text: '', format: 'toml' };
const NUMBERED = 20000; // lines: beyond that, numbers cost more than they help
const SIGNS = { '+': 'made', '-': 'removed', '~': 'changed' };

export function apply(app) {
  const writes = app.may('write');
  const format = field({ name: 'format', label: 'Format', kind: 'select', options: [['toml', 'TOML'], ['json', 'JSON']] }, kept.format);
  const editor = h('textarea', { id: 'wanted', class: 'mono editor', rows: 18, spellcheck: 'false', autocomplete: 'off', autocapitalize: 'none', 'aria-describedby': 'wanted-error', wrap: 'off', value: kept.text,
    placeholder: '[tunnel.siteb]\nremote = "198.51.100.1"\n\n[tunnel.siteb.session.lan]\naddress = ["10.9.0.1/24"]\n\n[link.br0]\ntype = "bridge"\nover = ["eth1"]\n' });
  const gutter = h('pre', { class: 'gutter', 'aria-hidden': 'true' });
  let wrong = new Set();
  const error = h('div', { id: 'wanted-error', class: 'alert', role: 'alert', hidden: true });
  const prune = field({ name: 'prune', label: 'Remove what is not in it', kind: 'switch' });
  const confirmIn = field({ name: 'confirm', label: 'Undo by itself after, seconds', kind: 'number', hint: 'Unless you confirm in time. Empty: applied for good.' }, '60');
  const plan = h('ol', { class: 'plan' });
  const verdict = h('p', { class: 'dim', role: 'status' });
  const progress = h('ol', { class: 'events', 'aria-label': 'Steps as they are taken' });
  const go = action(null, 'Apply', () => ask(), 'primary');
  const planned = h('section', { class: 'panel', 'aria-labelledby': 'plan-title', hidden: true }, h('header', { class: 'bar' }, h('h2', { id: 'plan-title', tabindex: '-1' }, 'Plan')), verdict, plan, writes ? h('div', { class: 'fields' }, confirmIn.element) : null, writes ? h('div', { class: 'buttons' }, go) : null, progress);
  let shown = null;
  let running = false;

  const changed = () => { kept.text = editor.value; kept.format = format.input.value; if (shown !== null && shown !== body().said) { planned.hidden = true; shown = null; } };
  const body = () => ({ said: `${format.input.value} ${prune.input.checked} ${editor.value}`, type: TYPES[format.input.value], body: editor.value });
  const query = (more = {}) => `?${new URLSearchParams({ ...(prune.input.checked ? { prune: 'true' } : {}), ...more })}`;
  editor.addEventListener('input', () => { wrong.clear(); changed(); number(); });
  editor.addEventListener('scroll', number);
  prune.input.addEventListener('change', changed);
  format.input.addEventListener('change', changed);

  const fail = (failure) => {
    error.hidden = false;
    const found = failure.errors?.length ? failure.errors.map((one) => [one.pointer, one.detail].filter(Boolean).join(': ')) : [told(failure)];
    const at = found.map(lineOf);
    error.replaceChildren(...found.map((words, i) => h('p', {}, at[i] ? [h('button', { type: 'button', class: 'linklike', onclick: () => toLine(at[i]) }, `Line ${at[i]}`), ': '] : null, onThisPage(words.replace(/line \d+: |body:\d+: /, '')))));
    editor.setAttribute('aria-invalid', 'true');
    wrong = new Set(at.filter(Boolean));
    number();
  };
  const clean = () => { error.hidden = true; editor.removeAttribute('aria-invalid'); wrong.clear(); number(); };
  /** Numbers of lines, beside the text as far as it is scrolled; those that something is wrong with stand out. */
  function number() {
    const lines = editor.value.split('\n').length;
    gutter.hidden = lines > NUMBERED;
    if (gutter.hidden) return;
    const said = `${lines} ${[...wrong]}`;
    if (gutter.dataset.said !== said) {
      gutter.dataset.said = said;
      gutter.replaceChildren(...Array.from({ length: lines }, (_, i) => h('span', { class: wrong.has(i + 1) ? 'wrong' : null }, `${i + 1}\n`)));
    }
    gutter.scrollTop = editor.scrollTop;
  }
  function toLine(line) {
    const lines = editor.value.split('\n');
    const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    editor.focus();
    editor.setSelectionRange(start, start + (lines[line - 1] ?? '').length);
    editor.scrollTop = (line - 3) * (editor.scrollHeight / Math.max(1, lines.length));
    number();
  }

  async function load() {
    clean();
    try {
      const said = await (await request('GET', 'v1/state?secrets=false', { accept: TYPES[format.input.value] })).text();
      editor.value = format.input.value === 'json' ? JSON.stringify(JSON.parse(said), null, 2) : said;
      number();
      changed();
    } catch (failure) { fail(failure); }
  }
  async function look() {
    clean();
    const sent = body();
    try {
      const { steps } = await (await request('POST', `v1/plan${query()}`, sent)).json();
      show(steps);
      shown = sent.said;
      progress.replaceChildren();
      document.getElementById('plan-title').focus();
    } catch (failure) { planned.hidden = true; fail(failure); }
  }
  function show(steps) {
    planned.hidden = false;
    const interrupting = steps.filter((one) => one.interrupts).length;
    text(verdict, steps.length ? `${many(steps.length, 'step')}${interrupting ? `, ${interrupting} of which interrupt${interrupting === 1 ? 's' : ''} traffic` : '; no traffic is interrupted'}` : 'Nothing to do: everything is as wanted.');
    plan.replaceChildren(...steps.map((one) => h('li', { class: `step ${{ '+': 'add', '-': 'del', '~': 'set' }[one.sign]}` },
      h('span', { class: 'sign mono', 'aria-hidden': 'true' }, one.sign), h('span', { class: 'unseen' }, `${SIGNS[one.sign]}: `),
      h('span', {}, h('b', { class: 'mono' }, subjectOf(one)), ` ${one.text}`, one.why && !one.text.includes(one.why) ? h('span', { class: 'dim' }, `: ${one.why}`) : null,
        one.interrupts ? [' ', h('span', { class: 'state trouble' }, '▲ interrupts its traffic')] : null))));
    go.disabled = steps.length === 0;
  }
  function ask() {
    const seconds = confirmIn.input.value.trim();
    const words = [verdict.textContent, seconds ? `It is undone by itself after ${seconds} s unless you confirm.` : 'It is applied for good, without a way back.'];
    confirm('Apply this plan?', words, 'Apply', async () => {
      running = true;
      progress.replaceChildren();
      const logged = await lastLogged();
      try {
        const answer = await (await request('POST', `v1/apply${query(seconds ? { confirm_s: seconds } : {})}`, body())).json();
        notice(answer.steps?.length ? `${many(answer.steps.length, 'step')} taken.` : 'Nothing to do: everything was as wanted.');
        show([]);
        text(verdict, 'Applied.');
        if (answer.confirm_s) app.confirmation.begin(answer.confirm_s, logged);
      } finally { running = false; }
    }, { className: 'primary' });
  }
  return {
    element: h('div', { class: 'view' }, h('div', { class: 'title' }, h('h1', {}, 'Apply')),
      h('p', { class: 'hint lead' }, 'A whole wanted state, as in /etc/l2tpv3/*.toml. Only what differs is touched, and the plan tells beforehand what is interrupted. Cookies that it leaves out stay as they are.'),
      h('div', { class: 'split' },
        h('section', { class: 'panel', 'aria-labelledby': 'wanted-title' }, h('header', { class: 'bar' }, h('h2', { id: 'wanted-title' }, h('label', { for: 'wanted' }, 'Wanted state'))),
          h('div', { class: 'fields' }, format.element, prune.element), h('div', { class: 'numbered' }, gutter, editor), error,
          h('div', { class: 'buttons' }, action(null, 'Show plan', look, 'primary'), action(null, 'Load what is on record', load))),
        planned)),
    title: 'Apply',
    shown: number,
    update(what) {
      if (what.has('events') && running) {
        const { data, type } = app.model.events[0];
        if (type === 'apply') { const { sign, words, kind } = ofApply(data); progress.append(h('li', { class: `event ${kind}` }, h('span', { class: 'sign' }, sign), h('span', {}, words))); }
      }
    },
    destroy() {},
  };
}

/** The line of the text that a finding names, as `line 7` or `body:7`; null where it names none. */
const lineOf = (words) => Number(/\bline (\d+)|\bbody:(\d+)/.exec(words)?.slice(1).find(Boolean)) || null;

/** A bar across every page while an apply waits to be confirmed; and a notice of how that ended, unless it was by us. */
export class Confirmation {
  constructor(app) {
    this.app = app;
    this.words = h('span', { class: 'num' });
    const buttons = app.may('write') ? [action(null, 'Keep it', () => this.#send('confirm', 'The change is kept.'), 'primary'), action(null, 'Undo now', () => this.#send('rollback', 'The change is undone.'))] : [];
    this.element = h('aside', { class: 'confirmation', hidden: true, 'aria-label': 'Waiting for confirmation' }, h('p', { role: 'status' }, 'An applied change waits to be confirmed.'), this.words, buttons);
    this.until = 0;
    this.logged = null; // when the last entry of the log was made, as the bar came
    this.seconds = 0;
    this.ours = false;
    this.begun = 0;
  }

  /** An apply from this page waits for so many seconds. logged: when the last entry of the log before it was made. */
  begin(seconds, logged) {
    this.begun += 1;
    Object.assign(this, { seconds, logged, until: Date.now() + seconds * 1000 });
    this.check();
  }

  /** Ask the service whether one waits. */
  async check() {
    let answer;
    const { begun } = this;
    try {
      answer = await get('v1/confirmation');
    } catch { return; } // nothing is known: the bar stays until the service answers
    if (begun !== this.begun) return; // it was asked before our own change was made
    const waited = this.until > 0;
    this.until = answer.awaited ? Date.now() + (answer.left_s ?? 0) * 1000 : 0; // due, but not yet undone: it still waits
    this.element.hidden = !this.until;
    clearInterval(this.timer);
    if (this.until) { this.#tick(); this.timer = setInterval(() => this.#tick(), 500); }
    if (this.until && !waited) this.logged = await lastLogged();
    if (waited && !this.until) this.#tellEnd();
  }

  /** The same in a moment, once for many calls. */
  checkSoon() {
    this.soon ??= setTimeout(() => { this.soon = null; this.check(); }, 1000);
  }

  #tick() {
    const left = Math.ceil((this.until - Date.now()) / 1000);
    if (left % 5 === 0) this.checkSoon(); // it may be confirmed elsewhere, which changes nothing else
    text(this.words, left > 0 ? `Undone by itself in ${left} s` : 'Being undone …');
    if (left < 0) this.checkSoon();
  }

  /** It waits no more: the log tells whether it was undone, and by whom. */
  async #tellEnd() {
    const { ours, seconds, logged } = this;
    this.ours = false;
    this.seconds = 0;
    if (ours) return;
    try {
      const { entries } = await get('v1/log?limit=100');
      const undone = entries.find(({ at, what }) => (logged === null || at > logged) && what.startsWith('rolled back'));
      if (!undone) notice('The change was confirmed elsewhere: it is kept.');
      else if (undone.who === NOBODY) notice(`Undone: nobody confirmed the change ${seconds ? `within ${seconds} s` : 'in time'}. All is as it was before.`, 'bad');
      else notice(`The change was undone by ${undone.who}. All is as it was before.`, 'bad');
    } catch (failure) { notice(`An applied change waits no more; whether it was kept could not be found out: ${told(failure)}`, 'bad'); }
  }

  async #send(verb, words) {
    this.ours = true;
    try {
      await request('POST', path(verb));
      notice(words);
    } catch (failure) { this.ours = false; notice(told(failure), 'bad'); }
    this.check();
  }
}

/** When the last entry of the log was made, as the service writes it; null where there is none. */
async function lastLogged() {
  try {
    return (await get('v1/log?limit=1')).entries.at(-1)?.at ?? null;
  } catch { return null; }
}
