// The page: who is let in, what is shown, and one frame at a time what is new.

import { get, Problem, setToken, token, tokenFromAddress, told } from './api.js';
import { eventsUrl } from './asking.js';
import { h, icon, text } from './dom.js';
import { notice } from './dialog.js';
import { clock } from './format.js';
import { here, setHere, setTitle } from './here.js';
import { Model } from './model.js';
import { Stream } from './stream.js';
import { beOneOfTheTabs, leaveAll, tokenOfAnotherTab } from './tabs.js';
import { theme } from './theme.js';
import { apply, Confirmation } from './views/apply.js';
import { session, tunnel } from './views/detail.js';
import { events } from './views/events.js';
import { fleet } from './views/fleet.js';
import { host } from './views/host.js';
import { link } from './views/link.js';
import { links } from './views/links.js';
import { log } from './views/log.js';
import { overview } from './views/overview.js';
import { tunnels } from './views/tunnels.js';

const VIEWS = { '': overview, tunnels, tunnel, session, links, link, events, apply, log, fleet, host };
const NAV = [['', 'Overview', 'overview'], ['tunnels', 'Tunnels', 'tunnels'], ['links', 'Links', 'links'], ['events', 'Events', 'events'], ['apply', 'Apply', 'apply'], ['log', 'Log', 'log'], ['host', 'Host', 'host']];
const HIDDEN_MS = 2000;
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
    for (const one of NAV) this.nav.append(this.#page(...one));
    theme(document.getElementById('theme'), () => this.mark('theme'));
    document.getElementById('leave').addEventListener('click', () => this.#leave());
    document.querySelector('.skip').addEventListener('click', (event) => { event.preventDefault(); this.main.focus(); });
    window.addEventListener('hashchange', () => this.#address());
    document.addEventListener('visibilitychange', () => this.#seen());
    document.addEventListener('keydown', (event) => this.#search(event));
    beOneOfTheTabs(token, () => this.#leave());
  }

  /** A link to a page of the dashboard. */
  #page(word, words, name) { return h('a', { href: `#/${word}`, 'data-view': word }, icon(name), h('span', {}, words)); }

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
      if (news.has('structure') && this.view) this.stream.from(eventsUrl(this.view, this.model));
    });
  }

  /** A page that nobody sees asks for nothing; when it is looked at again, it goes on where it was. */
  #seen() {
    clearTimeout(this.hiding);
    if (document.hidden) this.hiding = setTimeout(() => this.stream?.pause(), HIDDEN_MS);
    else { this.stream?.resume(); this.mark('rates'); }
  }

  /** "/" leads to the search: that of the page, else that of all tunnels. */
  #search(event) {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select, dialog') || !this.view) return;
    event.preventDefault();
    if (!document.getElementById('search')) { location.hash = '#/tunnels'; this.searching = true; }
    else document.getElementById('search').focus();
  }

  async begin() {
    try {
      const { you, formats, hostname, fleet: ofFleet } = await get('v1/capabilities');
      setHere(hostname);
      this.identity = you;
      this.formats = formats.peer;
      if (ofFleet && !this.nav.querySelector('[data-view=fleet]')) this.nav.insertBefore(this.#page('fleet', 'Fleet', 'fleet'), this.nav.children[1]);
    } catch (failure) {
      if (failure instanceof Problem && failure.status === 401) {
        const other = token() ? null : await tokenOfAnotherTab();
        if (other) { setToken(other); this.begin(); } else this.#login(token() ? failure : null, failure);
        return;
      }
      this.#state('waiting', AGAIN_MS / 1000);
      this.retry = setTimeout(() => this.begin(), AGAIN_MS);
      if (!this.view && !this.main.children.length) this.main.replaceChildren(h('p', { class: 'empty panel' }, told(failure)));
      return;
    }
    document.body.dataset.state = 'in';
    document.getElementById('leave').hidden = !token();
    this.confirmation = new Confirmation(this);
    document.getElementById('confirmation').replaceChildren(this.confirmation.element);
    this.stream = new Stream({
      event: (type, data) => this.#event(type, data),
      state: (word, seconds) => this.#state(word, seconds),
      open: (resumed) => { if (!resumed || !this.model.loaded) this.#list(); else this.confirmation.check(); },
      refused: (problem) => this.#login(problem),
    });
    this.#route();
    this.#seen();
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
    this.asOf = new Date();
    if (type === 'reset') this.#list();
    this.model.take(type, data);
    // Whoever changed something, by whatever means, may have done it with a way back.
    if (type !== 'counters') this.confirmation.checkSoon();
  }

  #state(word, seconds) {
    const words = { live: 'live', connecting: 'connecting …', waiting: `reconnecting in ${seconds} s`, paused: 'paused' };
    const shapes = { live: '●', connecting: '◌', waiting: '✕', paused: '‖' };
    this.#say(word, shapes[word], words[word]);
    if (word === 'waiting' || word === 'live') this.#stale(word === 'waiting');
    if (word === 'waiting' && !this.lost) { this.lost = true; this.model.note('page', { words: 'the service is away', sign: '✕', kind: 'bad' }); }
    if (word === 'live' && this.lost) { this.lost = false; this.model.note('page', { words: 'the service is back', sign: '●', kind: 'good' }); }
  }

  /** What is shown while the service does not answer is old, and looks so. */
  #stale(whether) {
    const place = document.getElementById('stale');
    document.body.toggleAttribute('data-stale', whether);
    place.hidden = !whether || !this.model.loaded;
    if (whether) text(place, `Not live: what is shown is as of ${clock(this.asOf ?? new Date())}. The service does not answer.`);
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
    this.stream.from(eventsUrl(this.view, this.model));
    this.view.shown();
    window.scrollTo(0, 0);
    if (this.searching) { this.searching = false; document.getElementById('search')?.focus(); }
  }

  #address() {
    if (location.hash.startsWith('#token=')) {
      tokenFromAddress();
      location.reload();
    } else if (document.body.dataset.state === 'in') {
      // As after loading a page: the next Tab begins with what is new.
      this.main.focus({ preventScroll: true });
      this.#route();
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
    h('div', { class: 'field' }, h('label', { for: 'token' }, 'Token'), input, error, h('p', { class: 'hint', id: 'token-hint' }, 'Made on the host by ', h('code', {}, 'l2tpctl token add'), '. It is kept for the open tabs of this browser, and nowhere else.')),
    h('button', { type: 'submit', class: 'button primary' }, 'Log in'));
    this.#say('out', '○', 'not logged in');
    this.main.replaceChildren(form);
    setTitle('Log in');
    input.focus();
  }

  #leave() {
    leaveAll();
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
