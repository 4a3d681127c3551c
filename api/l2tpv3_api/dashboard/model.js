// What is known of the host: tunnels and sessions as the service tells them, and what their counters did lately.

import { all } from './api.js';
import { badness, History, ratesOf, TROUBLES } from './history.js';

/** How long trouble counts as present after a counter last grew. */
export const FRESH_S = 30;
const EVENTS_KEPT = 500;
const RANK = { incomplete: 0, missing: 1, down: 2, up: 3 };

export const keyOf = (tunnel, session) => `${tunnel}/${session}`;

/** Whether something is not as it was asked to be: a session that was asked to be down may be. */
const isWrong = ({ condition, wanted }) => condition === 'missing' || condition === 'incomplete' || (condition === 'down' && wanted?.up === true);

/** What one session did lately: rates now, and when each trouble counter last grew. */
class Lately {
  constructor() {
    this.rates = null;
    this.counters = null;
    this.at = 0;
    this.history = new History();
    this.grew = {};
  }
}

/** Call `changed(what)` is told of: 'structure', 'rates', 'events'. */
export class Model {
  constructor(changed) {
    this.changed = changed;
    this.tunnels = new Map();
    this.sessions = new Map();
    this.lately = new Map();
    this.total = new History();
    this.now = { rx: 0, tx: 0, rxp: 0, txp: 0, bad: 0 };
    this.events = [];
    this.numbers = 0;
    this.clock = 0;
    this.loaded = false;
    this.#listing = null;
  }

  #listing;
  #waiting = [];

  /** Read everything anew. Events that come meanwhile are kept until then. Throws what api.js does. */
  async list() {
    this.#listing ??= this.#list().finally(() => { this.#listing = null; });
    return this.#listing;
  }

  async #list() {
    const tunnels = await all('v1/tunnels?include=sessions', 'tunnels');
    this.tunnels.clear();
    this.sessions.clear();
    for (const tunnel of tunnels) this.#put(tunnel);
    for (const key of this.lately.keys()) if (!this.sessions.has(key)) this.lately.delete(key);
    this.loaded = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [type, data] of waiting) this.take(type, data);
    this.changed('structure');
  }

  #put(tunnel) {
    const { sessions, ...own } = tunnel;
    this.tunnels.set(tunnel.name, own);
    if (!sessions) return;
    for (const session of sessions) this.#putSession(session);
  }

  #putSession(session) {
    const key = keyOf(session.tunnel, session.name);
    this.sessions.set(key, session);
    if (!this.lately.has(key)) this.lately.set(key, new Lately());
  }

  /** Take an event of the stream. */
  take(type, data) {
    if (type === 'counters') {
      this.#counters(data);
      return;
    }
    if (this.#listing) {
      this.#waiting.push([type, data]);
      return;
    }
    if (type === 'tunnel') this.#tunnel(data);
    if (type === 'session') this.#session(data);
    this.note(type, data);
  }

  #tunnel({ change, name, document }) {
    if (change === 'vanished') {
      this.tunnels.delete(name);
      for (const session of this.of(name)) this.#forget(keyOf(name, session.name));
    } else if (document) this.#put(document);
    this.changed('structure');
  }

  #session({ change, tunnel, name, document }) {
    if (change === 'vanished') this.#forget(keyOf(tunnel, name));
    else if (document) this.#putSession(document);
    this.changed('structure');
  }

  #forget(key) {
    this.sessions.delete(key);
    this.lately.delete(key);
  }

  /** Remember an event for the list of them; the newest is first. */
  note(type, data) {
    this.numbers += 1;
    this.events.unshift({ number: this.numbers, at: new Date(), type, data });
    this.events.length = Math.min(this.events.length, EVENTS_KEPT);
    this.changed('events');
  }

  #counters({ time, sessions }) {
    const at = Date.parse(time) / 1000;
    const sum = { rx: 0, tx: 0, rxp: 0, txp: 0, bad: 0 };
    let known = false;
    for (const { tunnel, name, counters } of sessions) {
      const one = this.lately.get(keyOf(tunnel, name));
      if (!one) continue;
      const rates = this.#rates(one, counters, at);
      one.counters = counters;
      one.at = at;
      one.rates = rates;
      one.history.add(at, rates);
      if (!rates) continue;
      known = true;
      for (const key of Object.keys(sum)) sum[key] += rates[key];
    }
    this.clock = at;
    this.now = sum;
    this.total.add(at, known || sessions.length === 0 ? sum : null);
    this.changed('rates');
  }

  #rates(one, counters, at) {
    const seconds = at - one.at;
    if (!one.counters || seconds <= 0 || seconds > 15) return null;
    for (const name of TROUBLES) if (counters[name] > one.counters[name]) one.grew[name] = at;
    return ratesOf(counters, one.counters, seconds);
  }

  /** The sessions of a tunnel. */
  of(tunnel) {
    const found = [];
    for (const session of this.sessions.values()) if (session.tunnel === tunnel) found.push(session);
    return found;
  }

  /** The sessions of each tunnel, by its name, in one go; sorted. */
  grouped() {
    const groups = new Map([...this.tunnels.keys()].map((name) => [name, []]));
    for (const session of this.sessions.values()) groups.get(session.tunnel)?.push(session);
    for (const group of groups.values()) group.sort((a, b) => byName(a.name, b.name));
    return groups;
  }

  /** The latest counters of a session: of the stream, else as they were listed. */
  counters(session) {
    return this.lately.get(keyOf(session.tunnel, session.name))?.counters ?? session.counters;
  }

  rates(session) {
    return this.lately.get(keyOf(session.tunnel, session.name))?.rates ?? null;
  }

  /** The names of the trouble counters that grew lately. */
  growing(session) {
    const one = this.lately.get(keyOf(session.tunnel, session.name));
    if (!one) return [];
    return TROUBLES.filter((name) => one.grew[name] !== undefined && this.clock - one.grew[name] <= FRESH_S);
  }

  /** All trouble there is now: things that are not up, and counters that grow; the worst first. */
  troubles() {
    const found = [];
    for (const tunnel of this.tunnels.values()) {
      if (isWrong(tunnel)) found.push({ tunnel, condition: tunnel.condition });
    }
    for (const session of this.sessions.values()) {
      const tunnel = this.tunnels.get(session.tunnel);
      if (isWrong(session) && tunnel?.condition !== session.condition) {
        found.push({ session, condition: session.condition });
      }
      for (const name of this.growing(session)) {
        found.push({ session, counter: name, count: this.counters(session)[name] });
      }
    }
    const rank = (one) => (one.counter ? 1.5 : RANK[one.condition] ?? 0);
    return found.sort((a, b) => rank(a) - rank(b));
  }

  /** How many tunnels and sessions there are in each condition. */
  tally() {
    const tally = (things) => {
      const counts = { all: 0, up: 0, down: 0, missing: 0, incomplete: 0 };
      for (const thing of things) { counts.all += 1; counts[thing.condition] += 1; }
      return counts;
    };
    return { tunnels: tally(this.tunnels.values()), sessions: tally(this.sessions.values()) };
  }
}

/** Names with numbers in them in the order that people expect: s2 before s10. */
export const byName = new Intl.Collator('en', { numeric: true }).compare;

/** Whether its counters ever counted trouble. */
export const everBad = (counters) => badness(counters) > 0;
