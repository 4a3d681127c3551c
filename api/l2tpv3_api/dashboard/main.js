// The page: who is let in, what is shown, and one frame at a time what is new.

import { get, Problem, setToken, token, tokenFromAddress, told } from './api.js';
import { h, icon, text } from './dom.js';
import { notice } from './dialog.js';
import { here, setHere, setTitle } from './here.js';
import { Model } from './model.js';
import { Stream } from './stream.js';
import { theme } from './theme.js';
import { apply, Confirmation } from './views/apply.js';
import { session, tunnel } from './views/detail.js';
import { events } from './views/events.js';
import { host } from './views/host.js';
import { link } from './views/link.js';
import { links } from './views/links.js';
import { log } from './views/log.js';
import { overview } from './views/overview.js';
import { tunnels } from './views/tunnels.js';

const VIEWS = { '': overview, tunnels, tunnel, session, links, link, events, apply, log, host };
const NAV = [['', 'Overview', 'overview'], ['tunnels', 'Tunnels', 'tunnels'], ['links', 'Links', 'links'], ['events', 'Events', 'events'], ['apply', 'Apply', 'apply'], ['log', 'Log', 'log'], ['host', 'Host', 'host']];
const COUNTERS_S = 1;
const AGAIN_MS = 3000;

class App {
  constructor() {
    this.dirty = new Set();
    this.model = new Model((what) => this.mark(what));
    this.identity = { name: '', scopes: [] };
    this.formats = [];
    this.view = null;
    this.nav = document.getElementById('nav');
    this.main = document.getElementById('main');
    this.link = document.getElementById('link');
    for (const [word, words, name] of NAV) this.nav.append(h('a', { href: `#/${word}`, 'data-view': word }, icon(name), h('span', {}, words)));
    theme(document.getElementById('theme'), () => this.mark('theme'));
    document.getElementById('leave').addEventListener('click', () => this.#leave());
    document.querySelector('.skip').addEventListener('click', (event) => { event.preventDefault(); this.main.focus(); });
    window.addEventListener('hashchange', () => this.#address());
    document.addEventListener('visibilitychange', () => this.mark('rates'));
  }

  may(scope) { return this.identity.scopes.includes(scope); }

  /** Something is new: it is shown in the next frame, with whatever else is new by then. */
  mark(what) {
    this.dirty.add(what);
    if (document.hidden) return;
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      const news = this.dirty;
      this.dirty = new Set();
      this.view?.update(news);
    });
  }

  async begin() {
    try {
      const { you, formats, hostname } = await get('v1/capabilities');
      setHere(hostname);
      this.identity = you;
      this.formats = formats.peer;
    } catch (failure) {
      if (failure instanceof Problem && failure.status === 401) { this.#login(token() ? failure : null, failure); return; }
      this.#state('waiting', AGAIN_MS / 1000);
      this.retry = setTimeout(() => this.begin(), AGAIN_MS);
      if (!this.view && !this.main.children.length) this.main.replaceChildren(h('p', { class: 'empty panel' }, told(failure)));
      return;
    }
    document.body.dataset.state = 'in';
    document.getElementById('leave').hidden = !token();
    this.confirmation = new Confirmation(this);
    document.getElementById('confirmation').replaceChildren(this.confirmation.element);
    this.#route();
    this.stream = new Stream(`v1/events?counters=${COUNTERS_S}`, {
      event: (type, data) => this.#event(type, data),
      state: (word, seconds) => this.#state(word, seconds),
      open: () => this.#list(),
      refused: (problem) => this.#login(problem),
    });
    this.stream.run();
  }

  async #list() {
    try {
      await this.model.list();
      this.confirmation.check();
    } catch (failure) {
      if (failure instanceof Problem && failure.status === 401) this.#login(failure);
      else { notice(told(failure), 'bad'); setTimeout(() => this.#list(), AGAIN_MS); }
    }
  }

  #event(type, data) {
    if (type === 'reset') this.#list();
    this.model.take(type, data);
    // Whoever changed something, by whatever means, may have done it with a way back.
    if (type !== 'counters') this.confirmation.checkSoon();
  }

  #state(word, seconds) {
    const words = { live: 'live', connecting: 'connecting …', waiting: `reconnecting in ${seconds} s` };
    const shapes = { live: '●', connecting: '◌', waiting: '✕' };
    this.#say(word, shapes[word], words[word]);
    if (word === 'waiting' && !this.lost) { this.lost = true; this.model.note('page', { words: 'the service is away', sign: '✕', kind: 'bad' }); }
    if (word === 'live' && this.lost) { this.lost = false; this.model.note('page', { words: 'the service is back', sign: '●', kind: 'good' }); }
  }

  #say(word, shape, words) {
    this.link.dataset.state = word;
    text(this.link.querySelector('.shape'), shape);
    text(this.link.querySelector('.words'), words);
  }

  #route() {
    const [where, search = ''] = location.hash.replace(/^#\/?/, '').split('?');
    const [word, ...rest] = where.split('/').map(decodeURIComponent);
    const known = word in VIEWS ? word : '';
    for (const open of document.querySelectorAll('dialog')) open.close();
    this.view?.destroy();
    this.view = VIEWS[known](this, rest, new URLSearchParams(search));
    this.main.replaceChildren(this.view.element);
    setTitle(this.view.title);
    const current = { tunnel: 'tunnels', session: 'tunnels', link: 'links' }[known] ?? known;
    for (const link of this.nav.children) {
      if (link.dataset.view === current) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    this.view.shown();
    window.scrollTo(0, 0);
  }

  #address() {
    if (location.hash.startsWith('#token=')) {
      tokenFromAddress();
      location.reload();
    } else if (document.body.dataset.state === 'in') {
      this.#route();
      // As after loading a page: the next Tab begins with what is new.
      this.main.focus({ preventScroll: true });
    }
  }

  /** Ask for a token. refusal: why the one that was used is not taken, null where there was none; asking: who asks. */
  #login(refusal, asking = refusal) {
    const words = refusal ? refusal.status === 401 ? 'This token is wrong, revoked or expired. Give another one.' : told(refusal) : '';
    if (asking?.hostname) setHere(asking.hostname);
    this.stream?.stop();
    this.view?.destroy();
    this.view = null;
    setToken(null);
    document.body.dataset.state = 'out';
    const input = h('input', { id: 'token', type: 'password', autocomplete: 'off', class: 'mono', 'aria-describedby': 'token-error token-hint', 'aria-invalid': words ? 'true' : null });
    const error = h('p', { id: 'token-error', class: 'field-error', role: 'alert' }, words);
    const form = h('form', { class: 'login panel', onsubmit: (event) => {
      event.preventDefault();
      if (!input.value.trim()) { error.textContent = 'Give a token.'; input.focus(); return; }
      setToken(input.value.trim());
      this.main.replaceChildren();
      this.begin();
    } },
    h('img', { src: 'dashboard/logo.svg', alt: '', width: 44, height: 44 }), h('h1', {}, h('span', {}, 'Log in to ', h('span', { class: 'mono' }, here()))),
    h('div', { class: 'field' }, h('label', { for: 'token' }, 'Token'), input, error, h('p', { class: 'hint', id: 'token-hint' }, 'Made on the host by ', h('code', {}, 'l2tpctl token add'), '. It is kept until this tab is closed, and nowhere else.')),
    h('button', { type: 'submit', class: 'button primary' }, 'Log in'));
    this.#say('out', '○', 'not logged in');
    this.main.replaceChildren(form);
    setTitle('Log in');
    input.focus();
  }

  #leave() {
    setToken(null);
    location.hash = '';
    location.reload();
  }
}

/** An error that no code of this page expected: it is told, as what is shown may be wrong from then on. */
function tellFailures() {
  let last = '';
  const tell = (words) => {
    if (!words || words === last || words.startsWith('ResizeObserver loop')) return;
    last = words;
    notice(`This page failed: ${words}. Load it again.`, 'bad');
  };
  window.addEventListener('error', (event) => tell(event.message));
  window.addEventListener('unhandledrejection', (event) => tell(String(event.reason?.message ?? event.reason)));
}

document.body.dataset.started = 'yes';
document.getElementById('starting')?.remove();
tellFailures();
setHere('');
tokenFromAddress();
new App().begin();
