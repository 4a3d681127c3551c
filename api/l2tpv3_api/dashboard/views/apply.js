// A whole wanted state: edited, its plan looked at, applied with a way back.

import { get, path, request, told } from '../api.js';
import { confirm, field, notice } from '../dialog.js';
import { h, text } from '../dom.js';
import { many } from '../format.js';
import { action } from '../lists.js';
import { ofApply, subjectOf } from '../told.js';

const TYPES = { toml: 'application/toml', json: 'application/json' };
const kept = { text: '', format: 'toml' };
const SIGNS = { '+': 'made', '-': 'removed', '~': 'changed' };

export function apply(app) {
  const writes = app.may('write');
  const format = field({ name: 'format', label: 'Format', kind: 'select', options: [['toml', 'TOML'], ['json', 'JSON']] }, kept.format);
  const editor = h('textarea', { id: 'wanted', class: 'mono editor', rows: 18, spellcheck: 'false', autocomplete: 'off', autocapitalize: 'none', 'aria-describedby': 'wanted-error', wrap: 'off', value: kept.text,
    placeholder: '[tunnel.siteb]\nremote = "198.51.100.1"\n\n[tunnel.siteb.session.lan]\naddress = ["10.9.0.1/24"]\n\n[link.br0]\ntype = "bridge"\nover = ["eth1"]\n' });
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
  editor.addEventListener('input', changed);
  prune.input.addEventListener('change', changed);
  format.input.addEventListener('change', changed);

  const fail = (failure) => {
    error.hidden = false;
    const many_ = (failure.errors ?? []).map((one) => [one.pointer, one.detail].filter(Boolean).join(': '));
    error.replaceChildren(...(many_.length ? many_ : [told(failure)]).map((words) => h('p', {}, words)));
    editor.setAttribute('aria-invalid', 'true');
  };
  const clean = () => { error.hidden = true; editor.removeAttribute('aria-invalid'); };

  async function load() {
    clean();
    try {
      const said = await (await request('GET', 'v1/state?secrets=false', { accept: TYPES[format.input.value] })).text();
      editor.value = format.input.value === 'json' ? JSON.stringify(JSON.parse(said), null, 2) : said;
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
      try {
        const answer = await (await request('POST', `v1/apply${query(seconds ? { confirm_s: seconds } : {})}`, body())).json();
        notice(answer.steps?.length ? `${many(answer.steps.length, 'step')} taken.` : 'Nothing to do: everything was as wanted.');
        show([]);
        text(verdict, 'Applied.');
        app.confirmation.check();
      } finally { running = false; }
    }, { className: 'primary' });
  }
  return {
    element: h('div', { class: 'view' }, h('div', { class: 'title' }, h('h1', {}, 'Apply')),
      h('p', { class: 'hint lead' }, 'A whole wanted state, as in /etc/l2tpv3/*.toml. Only what differs is touched, and the plan tells beforehand what is interrupted. Cookies that it leaves out stay as they are.'),
      h('div', { class: 'split' },
        h('section', { class: 'panel', 'aria-labelledby': 'wanted-title' }, h('header', { class: 'bar' }, h('h2', { id: 'wanted-title' }, h('label', { for: 'wanted' }, 'Wanted state'))),
          h('div', { class: 'fields' }, format.element, prune.element), editor, error,
          h('div', { class: 'buttons' }, action(null, 'Show plan', look, 'primary'), action(null, 'Load what is on record', load))),
        planned)),
    title: 'Apply',
    shown() {},
    update(what) {
      if (what.has('events') && running) {
        const { data, type } = app.model.events[0];
        if (type === 'apply') { const { sign, words, kind } = ofApply(data); progress.append(h('li', { class: `event ${kind}` }, h('span', { class: 'sign' }, sign), h('span', {}, words))); }
      }
    },
    destroy() {},
  };
}

/** A bar across every page while an apply waits to be confirmed. */
export class Confirmation {
  constructor(app) {
    this.app = app;
    this.words = h('span', { class: 'num' });
    const buttons = app.may('write') ? [action(null, 'Keep it', () => this.#send('confirm', 'The change is kept.'), 'primary'), action(null, 'Undo now', () => this.#send('rollback', 'The change is undone.'))] : [];
    this.element = h('aside', { class: 'confirmation', hidden: true, 'aria-label': 'Waiting for confirmation' }, h('p', { role: 'status' }, 'An applied change waits to be confirmed.'), this.words, buttons);
    this.until = 0;
  }

  /** Ask the service whether one waits. */
  async check() {
    let left = 0;
    try {
      left = (await get('v1/confirmation')).left_s ?? 0;
    } catch { left = 0; }
    this.until = left ? Date.now() + left * 1000 : 0;
    this.element.hidden = !this.until;
    clearInterval(this.timer);
    if (this.until) { this.#tick(); this.timer = setInterval(() => this.#tick(), 500); }
  }

  /** The same in a moment, once for many calls. */
  checkSoon() {
    this.soon ??= setTimeout(() => { this.soon = null; this.check(); }, 1000);
  }

  #tick() {
    const left = Math.ceil((this.until - Date.now()) / 1000);
    if (left % 5 === 0) this.checkSoon(); // it may be confirmed elsewhere, which changes nothing else
    text(this.words, left > 0 ? `Undone by itself in ${left} s` : 'Being undone …');
    if (left < -2) this.check();
  }

  async #send(verb, words) {
    try {
      await request('POST', path(verb));
      notice(words);
    } catch (failure) { notice(told(failure), 'bad'); }
    this.check();
  }
}
