// Dialogs, notices, and what the service said beside the fields that it is about.

import { Problem, told } from './api.js';
import { h } from './dom.js';
import { here } from './here.js';
import { onThisPage } from './words.js';

/** Show a modal dialog with a title; the element, with `close()`. Focus goes back to where it was, or to its like. */
export function dialog(title, ...content) {
  const before = document.activeElement;
  const id = `title-${Math.random().toString(36).slice(2)}`;
  const close = h('button', { type: 'button', class: 'button quiet close', 'aria-label': 'Close', onclick: () => leave(box) }, '✕');
  const box = h('dialog', { 'aria-labelledby': id, onkeydown: (event) => { if (event.key === 'Escape') { event.preventDefault(); leave(box); } } },
    h('header', {}, h('h2', { id }, title), close), content);
  box.addEventListener('close', () => { box.remove(); focusAgain(before); });
  box.addEventListener('input', () => { box.dataset.filled = 'yes'; });
  box.addEventListener('pointerdown', (event) => { if (event.target === box) box.dataset.outside = 'yes'; });
  box.addEventListener('click', (event) => { if (event.target === box && box.dataset.outside && !box.querySelector('form')) box.close(); delete box.dataset.outside; });
  document.body.append(box);
  box.showModal();
  return box;
}

/** Close a dialog; where something was typed into its form, only after asking whether that may be thrown away. */
function leave(box) {
  if (!box.dataset.filled || !box.querySelector('form')) { box.close(); return; }
  const asked = box.querySelector('.asked');
  if (asked) { asked.querySelector('button').focus(); return; }
  const stay = h('button', { type: 'button', class: 'button', onclick: () => { question.remove(); box.querySelector('input, select, textarea')?.focus(); } }, 'Go on');
  const away = h('button', { type: 'button', class: 'button', onclick: () => box.close() }, 'Throw it away');
  const question = h('div', { class: 'alert asked', role: 'alert' }, h('p', {}, 'Throw away what you typed?'), h('div', { class: 'buttons' }, stay, away));
  box.querySelector('header').after(question);
  stay.focus();
}

/** Give the focus back: to what had it, to what says the same where the page was built anew since, else to the page. */
function focusAgain(before) {
  if (before?.isConnected && before !== document.body) { before.focus(); return; }
  const words = before?.textContent;
  const like = words && [...document.querySelectorAll('main button, main a')].find((one) => one.textContent === words && one.checkVisibility());
  (like || document.getElementById('main')).focus({ preventScroll: true });
}

/** A short notice that goes by itself, and is read aloud politely; of a failure it stays until it is closed. */
export function notice(words, kind = 'good') {
  const place = document.getElementById('notices');
  const one = h('div', { class: `notice ${kind}` }, h('p', {}, words), h('button', { type: 'button', class: 'button quiet', 'aria-label': 'Dismiss', onclick: () => one.remove() }, '✕'));
  place.append(one);
  if (kind === 'good') setTimeout(() => one.remove(), 7000);
}

/** Ask before something that can't be undone; what `act` throws is told in the dialog. The focus is on Cancel, so that
 *  a key that bounces does nothing. name: has to be typed first, where much goes at once; null: nothing has to. */
export function confirm(title, words, verb, act, { className = 'danger', name = null } = {}) {
  const error = h('div', { class: 'alert', role: 'alert', hidden: true });
  const go = h('button', { type: 'submit', class: `button ${className}`, disabled: name !== null }, verb);
  const cancel = h('button', { type: 'button', class: 'button', onclick: () => box.close() }, 'Cancel');
  const typed = name === null ? null : field({ name: 'typed', label: `To go on, type ${name}` });
  typed?.input.addEventListener('input', () => { go.disabled = typed.input.value.trim() !== name; });
  const form = h('form', { onsubmit: async (event) => {
    event.preventDefault();
    if (go.disabled) return;
    go.disabled = true;
    try {
      await act();
      box.close();
    } catch (failure) {
      error.hidden = false;
      error.textContent = told(failure);
      go.disabled = false;
    }
  } }, h('p', {}, 'On host ', h('b', { class: 'mono' }, here()), '.'), words.map((one) => h('p', {}, one)), typed?.element, error, h('footer', {}, cancel, go));
  const box = dialog(title, form);
  (typed ? typed.input : cancel).focus();
  return box;
}

/** A field of a form: {name, label, hint, kind: text|number|select|switch|area, options, placeholder, required}. */
export function field(spec, value) {
  const id = `field-${spec.name}`;
  const described = [];
  if (spec.hint) described.push(`${id}-hint`);
  described.push(`${id}-error`);
  const common = { id, name: spec.name, 'aria-describedby': described.join(' '), 'aria-required': spec.required ? 'true' : null };
  const typed = { ...common, class: 'mono', placeholder: spec.placeholder, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' };
  let input;
  if (spec.kind === 'select') {
    const known = spec.options.some(([word]) => word === value) || value === undefined || value === null;
    const options = known ? spec.options : [...spec.options, [String(value)]];
    input = h('select', common, options.map(([word, label]) => h('option', { value: word }, label ?? word)));
    if (value !== undefined && value !== null) input.value = String(value);
  } else if (spec.kind === 'switch') {
    input = h('input', { ...common, type: 'checkbox', checked: Boolean(value) });
  } else if (spec.kind === 'area') {
    input = h('textarea', { ...typed, rows: spec.rows ?? 2, value: value ?? '' });
  } else {
    input = h('input', { ...typed, type: 'text', inputmode: spec.kind === 'number' ? 'numeric' : null, value: value ?? '' });
  }
  const label = h('label', { for: id }, spec.label, spec.required ? h('span', { class: 'dim' }, ' (required)') : null);
  const error = h('p', { class: 'field-error', id: `${id}-error`, 'aria-live': 'polite' });
  const hint = spec.hint ? h('p', { class: 'hint', id: `${id}-hint` }, spec.hint) : null;
  const element = h('div', { class: `field ${spec.kind ?? 'text'} ${spec.wide ? 'wide' : ''}` },
    spec.kind === 'switch' ? [h('div', { class: 'check' }, input, label)] : [label, input], hint, error);
  return { element, input, error, spec };
}

/** Put what the service said beside the fields; what belongs to none goes to `alert`. Focus goes to the first. */
export function showProblem(failure, fields, alert) {
  clearProblems(fields, alert);
  const rest = [];
  let first = null;
  for (const { name, words } of findings(failure)) {
    const at = fields.find((one) => one.spec.name === name);
    if (!at) { rest.push(onThisPage(words)); continue; }
    at.error.textContent = [at.error.textContent, onThisPage(words)].filter(Boolean).join('. ');
    at.input.setAttribute('aria-invalid', 'true');
    const folded = at.element.closest('details');
    if (folded) folded.open = true;
    first ??= at.input;
  }
  if (rest.length) {
    alert.hidden = false;
    alert.replaceChildren(...rest.map((words) => h('p', {}, words)));
    if (!first) { alert.tabIndex = -1; alert.focus(); }
  }
  first?.focus();
}

export function clearProblems(fields, alert) {
  alert.hidden = true;
  alert.replaceChildren();
  for (const { error, input } of fields) { error.textContent = ''; input.removeAttribute('aria-invalid'); }
}

/** Which field each finding is about, null where none is: JSON pointers tell, else the subject, which names the option
 *  as `--remote`. What is wrong with the whole ("") says so in words: a name that is none, a value that is missing. */
function findings(failure) {
  if (!(failure instanceof Problem)) return [{ name: null, words: told(failure) }];
  const sentence = `${failure.problem}${failure.remedy ? `; ${failure.remedy}` : ''}`;
  const option = named(failure.subject) ?? (/ name$/.test(failure.subject) ? 'name' : null);
  if (failure.errors.length) return failure.errors.map((one) => ({ name: fieldOf(one) ?? (failure.errors.length === 1 ? option : null), words: one.detail ?? sentence }));
  if (option) return [{ name: option, words: sentence }];
  return [{ name: named(failure.problem), words: told(failure) }];
}

/** The field of the option that a text names. */
const named = (text) => /--([a-z-]+)/.exec(text)?.[1].replaceAll('-', '_') ?? null;

/** The field that one of several findings is about. */
function fieldOf({ pointer, detail = '' }) {
  if (pointer) return decodeURIComponent(pointer.replace(/^#?\//, '')).split('/')[0];
  return /^([a-z_]+) is missing/.exec(detail)?.[1] ?? (/ is not a name/.test(detail) ? 'name' : null);
}
