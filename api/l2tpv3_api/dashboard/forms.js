// Forms to add and change tunnels and sessions; links have theirs in link_forms.js. What is left empty is the service's to choose; what it refuses is told
// beside the field. Nothing is checked here: the service knows, and says it better.

import { path, Problem, request, send, told } from './api.js';
import { clearProblems, confirm, dialog, field, notice, showProblem } from './dialog.js';
import { h } from './dom.js';
import { FORMS } from './fields.js';
import { many } from './format.js';
import { learnLabels } from './words.js';

export const NAME = { name: 'name', label: 'Name', hint: 'Letters, digits, “.”, “_”, “-”.', required: true };
const TRANSIENT = { name: 'transient', label: 'Forget at the next boot', kind: 'switch' };

/** Fields that are in sight, and those that few need. */
const plainOf = (kind) => FORMS[kind].filter(({ rare }) => !rare);
const moreOf = (kind) => FORMS[kind].filter(({ rare }) => rare);

learnLabels([...FORMS.tunnel, ...FORMS.session]);

/** A form for a new tunnel. */
export function addTunnel() {
  const fields = [NAME, ...plainOf('tunnel')].map((spec) => field(spec));
  const more = [...moreOf('tunnel'), TRANSIENT].map((spec) => field(spec, spec.initial));
  form('Add tunnel', 'Add', parts(fields, more), async (words) => {
    const { name, ...rest } = words;
    await make('tunnel', name, (one) => path('tunnels', one), rest);
    notice(`Tunnel ${name} is made.`);
    location.hash = `#/tunnel/${encodeURIComponent(name)}`;
  });
}

/** A form for a new session of a tunnel. */
export function addSession(tunnel) {
  const fields = [NAME, ...plainOf('session')].map((spec) => field(spec));
  const more = moreOf('session').map((spec) => field(spec, spec.initial));
  form(`Add session to ${tunnel}`, 'Add', parts(fields, more), async (words) => {
    const { name, ...rest } = words;
    await make('session', name, (one) => path('tunnels', tunnel, 'sessions', one), rest);
    notice(`Session ${tunnel}/${name} is made. Next: the other end.`);
    location.hash = `#/session/${encodeURIComponent(tunnel)}/${encodeURIComponent(name)}`;
  });
}

/** A form to change a tunnel, as it is on record now. */
export const editTunnel = (name) => edit(`Change tunnel ${name}`, path('tunnels', name), () => plainOf('tunnel'), () => moreOf('tunnel'));

/** A form to change a session. */
export const editSession = (tunnel, name) => edit(`Change session ${tunnel}/${name}`, path('tunnels', tunnel, 'sessions', name), () => plainOf('session'), () => moreOf('session'));

/** Only what was changed is sent, and only if nobody else changed the thing meanwhile. plain, more: from its document to fields. */
export async function edit(title, url, plain, more) {
  let response;
  try {
    response = await request('GET', url);
  } catch (failure) {
    notice(told(failure), 'bad');
    return;
  }
  const etag = response.headers.get('ETag');
  const document = await response.json();
  const wanted = document.wanted ?? {};
  const make = (spec) => field(spec.secret ? { ...spec, placeholder: 'unchanged' } : spec, shown(spec, wanted[spec.name]));
  const fields = plain(document).map(make);
  const folded = more(document).map(make);
  form(title, 'Change', parts(fields, folded), async () => {
    const patch = {};
    for (const one of [...fields, ...folded]) {
      const { name } = one.spec;
      if (raw(one) === String(shown(one.spec, wanted[name]))) continue;
      const value = valueOf(one);
      patch[name] = value === undefined ? null : value;
    }
    if (!Object.keys(patch).length) { notice('Nothing was changed.'); return; }
    let answer;
    try {
      answer = await (await request('PATCH', url, { body: patch, type: 'application/merge-patch+json', headers: etag ? { 'If-Match': etag } : {} })).json();
    } catch (failure) {
      if (failure instanceof Problem && failure.status === 412) failure.problem = 'it was changed by someone else meanwhile; close this form and open it again';
      throw failure;
    }
    const { change } = answer;
    notice(change?.recreated ? `Changed. It was made anew, which interrupted its traffic: ${change.why}.` : 'Changed in place; no traffic was interrupted.');
  });
}

const shown = (spec, value) => {
  if (spec.secret) return '';
  if (spec.kind === 'switch') return Boolean(value);
  if (spec.list) return (value ?? []).join(' ');
  if (spec.kind === 'select' && typeof value === 'boolean') return value ? 'on' : 'off';
  return value ?? '';
};

const raw = ({ spec, input }) => (spec.kind === 'switch' ? String(input.checked) : input.value.trim());

/** What a field says, as a word of the service; undefined where it is left empty. */
function valueOf({ spec, input }) {
  if (spec.kind === 'switch') return input.checked;
  const typed = input.value.trim();
  if (spec.list) return typed ? typed.split(/[\s,]+/) : undefined;
  if (!typed) return undefined;
  return spec.kind === 'number' && /^\d+$/.test(typed) ? Number(typed) : typed;
}

/** Make a thing. Without a name it is asked for as "-", which can be none, so that the service tells what else is wrong. */
export async function make(what, name, url, words) {
  try {
    await send('PUT', url(name || '-'), words, { 'If-None-Match': '*' });
  } catch (failure) {
    if (!name && failure instanceof Problem) failure.errors = failure.errors.map((one) => (/ is not a name/.test(one.detail) ? { pointer: '/name', detail: `Give the ${what} a name.` } : one));
    throw failure;
  }
}

/** Fields in sight, and those that are folded away. */
const parts = (fields, more) => ({
  fields: () => [...fields, ...more],
  plain: h('div', { class: 'fields' }, fields.map((one) => one.element)),
  more: h('div', { class: 'fields' }, more.map((one) => one.element)),
});

/** Show a form. fields(): all of them now; plain, more: what they are in. act(words): throws what the service refuses. */
export function form(title, verb, { fields, plain, more }, act) {
  const alert = h('div', { class: 'alert', role: 'alert', hidden: true });
  const go = h('button', { type: 'submit', class: 'button primary' }, verb);
  const body = h('form', { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    const all = fields();
    clearProblems(all, alert);
    go.disabled = true;
    body.setAttribute('aria-busy', 'true');
    try {
      const words = {};
      for (const one of all) {
        const value = valueOf(one);
        const untouched = one.spec.kind === 'switch' ? value === Boolean(one.spec.initial) : one.spec.kind === 'select' && !one.spec.required && value === one.spec.options[0][0];
        if (value !== undefined && !untouched) words[one.spec.name] = value;
      }
      await act(words);
      box.close();
    } catch (failure) {
      showProblem(failure, all, alert);
    } finally {
      go.disabled = false;
      body.removeAttribute('aria-busy');
    }
  } },
  alert,
  plain,
  h('details', {}, h('summary', {}, 'More'), more),
  h('footer', {}, h('button', { type: 'button', class: 'button', onclick: () => box.close() }, 'Cancel'), go));
  const box = dialog(title, body);
  fields()[0].input.focus();
}

/** Ask, then remove a tunnel with its sessions. */
export function removeTunnel(name, sessions) {
  const words = [`Its ${many(sessions, 'session')} and their netdevs go with it, at once, and it is taken off the record.`];
  confirm(`Remove tunnel ${name}?`, sessions ? words : ['It has no sessions.'], 'Remove', async () => {
    await send('DELETE', path('tunnels', name));
    notice(`Tunnel ${name} is removed.`);
    location.hash = '#/tunnels';
  }, { name: sessions ? name : null });
}

/** Ask, then remove a session. */
export function removeSession(tunnel, name, ifname) {
  confirm(`Remove session ${tunnel}/${name}?`, [`Its netdev ${ifname} goes with it, at once.`], 'Remove', async () => {
    await send('DELETE', path('tunnels', tunnel, 'sessions', name));
    notice(`Session ${tunnel}/${name} is removed.`);
    location.hash = `#/tunnel/${encodeURIComponent(tunnel)}`;
  });
}

/** Have a session's netdev up or down. Throws what the service refuses. */
async function putUp(tunnel, name, up) {
  await request('PATCH', path('tunnels', tunnel, 'sessions', name), { body: { up }, type: 'application/merge-patch+json' });
  notice(`Session ${tunnel}/${name} is set ${up ? 'up' : 'down'}.`);
}

/** Set a session up; what the service refuses is told. */
export async function setSession(tunnel, name, up) {
  try {
    await putUp(tunnel, name, up);
  } catch (failure) { notice(told(failure), 'bad'); }
}

/** Ask, then set a session down. */
export function setDown(tunnel, name) {
  confirm(`Set session ${tunnel}/${name} down?`, ['It carries nothing until it is set up again, and stays on record.'], 'Set down', () => putUp(tunnel, name, false));
}
