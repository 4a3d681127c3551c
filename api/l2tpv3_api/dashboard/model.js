// What is known of the host: tunnels, sessions and links as the service tells them, and what their counters did lately.

import { all } from './api.js';
import { age } from './format.js';
import { badness, History, ratesOf, TROUBLES } from './history.js';
import { countersOf, LINK_TROUBLES } from './link_counters.js';
import { FRESH_S, Hearing, RANK, SILENT_S } from './looks.js';

const EVENTS_KEPT = 500;

export const keyOf = (tunnel, session) => `${tunnel}/${session}`;
const linkKey = (name) => `l ${name}`; // no session's key has a space
const nameIn = (key) => (key.startsWith('l ') ? key.slice(2) : null);

/** Whether something is not as it was asked to be: a session that was asked to be down may be. */
const isWrong = ({ condition, wanted }) => condition === 'missing' || condition === 'incomplete' || (condition === 'down' && wanted?.up === true);

/** What one session or link did lately: rates now, when each trouble counter last grew, what it sent and heard. */
class Lately {
  constructor() {
    this.rates = null;
    this.counters = null;
    this.at = 0;
    this.history = new History();
    this.grew = {};
    this.hearing = new Hearing();
  }
}

/** Call `changed(what)` is told of: 'structure', 'rates', 'events'. */
export class Model {
  constructor(changed) {
    this.changed = changed;
    this.tunnels = new Map();
    this.sessions = new Map();
    this.links = new Map();
    this.lately = new Map();
    this.total = new History();
    this.flows = new Map(); // what each tunnel's sessions did, by its name
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
    const [tunnels, links] = await Promise.all([all('v1/tunnels?include=sessions', 'tunnels'), all('v1/links', 'links')]);
    this.tunnels.clear();
    this.sessions.clear();
    this.links.clear();
    for (const tunnel of tunnels) this.#put(tunnel);
    for (const link of links) this.#putLink(link);
    for (const key of this.lately.keys()) if (!this.sessions.has(key) && !this.links.has(nameIn(key))) this.lately.delete(key);
    for (const name of this.flows.keys()) if (!this.tunnels.has(name)) this.flows.delete(name);
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
    const before = this.sessions.get(key);
    this.sessions.set(key, session);
    if (!this.lately.has(key)) this.lately.set(key, new Lately());
    // What it lost while it was not up was told then, and is no trouble that it has now.
    if (before && before.condition !== 'up' && session.condition === 'up') Object.assign(this.lately.get(key), { counters: null, grew: {} });
  }

  #putLink(link) {
    this.links.set(link.name, link);
    if (!this.lately.has(linkKey(link.name))) this.lately.set(linkKey(link.name), new Lately());
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
    if (type === 'link') this.#link(data);
    this.note(type, data);
  }

  #tunnel({ change, name, document }) {
    if (change === 'vanished') {
      this.tunnels.delete(name);
      this.flows.delete(name);
      for (const session of this.of(name)) this.#forget(keyOf(name, session.name));
    } else if (document) this.#put(document);
    this.changed('structure');
  }

  #session({ change, tunnel, name, document }) {
    if (change === 'vanished') this.#forget(keyOf(tunnel, name));
    else if (document) this.#putSession(document);
    this.changed('structure');
  }

  #link({ change, name, document }) {
    if (change === 'vanished') {
      this.links.delete(name);
      this.lately.delete(linkKey(name));
    } else if (document) this.#putLink(document);
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

  #counters({ time, sessions, links = [], totals = null }) {
    const at = Date.parse(time) / 1000;
    const sum = { rx: 0, tx: 0, rxp: 0, txp: 0, bad: 0 };
    const sums = new Map();
    let known = false;
    for (const { tunnel, name, counters, hearing, last_received_s } of sessions) {
      const one = this.lately.get(keyOf(tunnel, name));
      if (!one) continue;
      Object.assign(this.sessions.get(keyOf(tunnel, name)), { hearing, last_received_s });
      const rates = this.#lately(one, counters, at, TROUBLES);
      if (!rates) continue;
      known = true;
      const own = sums.get(tunnel) ?? sums.set(tunnel, { rx: 0, tx: 0, rxp: 0, txp: 0, bad: 0 }).get(tunnel);
      for (const key of Object.keys(sum)) { sum[key] += rates[key]; own[key] += rates[key]; }
    }
    for (const name of this.tunnels.keys()) this.flowOf(name).add(at, sums.get(name) ?? null);
    for (const { name, counters } of links) {
      const one = this.lately.get(linkKey(name));
      if (one) this.#lately(one, countersOf(this.links.get(name), counters), at, LINK_TROUBLES);
    }
    const all = totals?.sessions?.rates; // of all, also of those whose counters were not asked for
    if (all) Object.assign(sum, { rx: all.rx_bytes_per_s * 8, tx: all.tx_bytes_per_s * 8, rxp: all.rx_packets_per_s, txp: all.tx_packets_per_s });
    this.clock = at;
    this.now = sum;
    this.total.add(at, known || all || this.sessions.size === 0 ? sum : null);
    this.changed('rates');
  }

  /** Note counters and what they grew by since the last time. */
  #lately(one, counters, at, troubles) {
    const rates = this.#rates(one, counters, at, troubles);
    Object.assign(one, { counters, at, rates });
    one.history.add(at, rates);
    return rates;
  }

  #rates(one, counters, at, troubles) {
    const seconds = at - one.at;
    if (!one.counters || seconds <= 0) return null;
    if (counters.tx_packets < one.counters.tx_packets || counters.rx_packets < one.counters.rx_packets) one.grew = {}; // made anew
    one.hearing.note(at, counters, one.counters);
    if (seconds > 15) return null;
    for (const name of troubles) if (counters[name] > one.counters[name]) one.grew[name] = at;
    return ratesOf(counters, one.counters, seconds, troubles);
  }

  /** What a tunnel's sessions did lately, taken together. */
  flowOf(tunnel) {
    return this.flows.get(tunnel) ?? this.flows.set(tunnel, new History()).get(tunnel);
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
    return this.#fresh(keyOf(session.tunnel, session.name), TROUBLES);
  }

  #fresh(key, troubles) {
    const one = this.lately.get(key);
    if (!one) return [];
    return troubles.filter((name) => one.grew[name] !== undefined && this.clock - one.grew[name] <= FRESH_S);
  }

  /** How a session is shown: its condition, or, where that is up, trouble, or that it hears nothing. */
  looksOfSession(session) {
    if (session.condition !== 'up') return session.condition;
    if (this.growing(session).length) return 'trouble';
    if (session.hearing === 'unheard' || session.hearing === 'dead' || this.counters(session).rx_packets === 0) return 'silent';
    return this.silence(session) >= SILENT_S ? 'silent' : 'up';
  }

  /** For how many seconds a session sends and hears nothing; 0 where it does not. */
  silence(session) {
    return this.lately.get(keyOf(session.tunnel, session.name))?.hearing.silence(this.clock) ?? 0;
  }

  /** Whether it sends, and has heard nothing for long, or never. */
  unanswered(session) {
    return this.looksOfSession(session) === 'silent' && this.silence(session) > 0;
  }

  /** In words, whether a session hears the other end, and when it last did; "" where nothing is said. */
  saidOfHearing({ hearing, last_received_s: ago }) {
    if (!hearing) return '';
    return Number.isFinite(ago) ? `${hearing === 'heard' ? 'heard' : `${hearing}, last heard`} ${age(ago)} ago` : hearing;
  }

  /** In words, of a session that hears nothing. */
  saidOfSilence(session) {
    const seconds = Math.floor(this.silence(session));
    if (this.counters(session).rx_packets === 0) return seconds ? `has sent for ${seconds} s and heard nothing yet` : 'has heard nothing yet';
    return `sends, and hears nothing for ${seconds} s`;
  }

  /** How a tunnel is shown: its condition, or, where that is up, the worst of what its sessions tell of it. */
  looksOfTunnel(tunnel, sessions = this.of(tunnel.name)) {
    if (tunnel.condition !== 'up') return tunnel.condition;
    const looks = sessions.map((one) => (one.condition === 'up' || isWrong(one) ? this.looksOfSession(one) : 'down'));
    if (looks.some((one) => RANK[one] <= RANK.trouble)) return 'trouble';
    return looks.includes('up') ? 'up' : looks.length && !looks.includes('silent') ? 'down' : 'silent';
  }

  /** The same of a link as of a session. */
  linkCounters(link) { return this.lately.get(linkKey(link.name))?.counters ?? countersOf(link, link.counters); }

  linkRates(link) { return this.lately.get(linkKey(link.name))?.rates ?? null; }

  linkGrowing(link) { return this.#fresh(linkKey(link.name), LINK_TROUBLES); }

  /** How a link is shown: its condition, or trouble when its counters tell of some. */
  looksOf(link) { return link.condition === 'up' && this.linkGrowing(link).length ? 'trouble' : link.condition; }

  /** What is worst comes first. */
  rankOf(link) { return RANK[this.looksOf(link)] ?? 0; }

  /** Sessions whose netdev is a member of that link and that it does not name itself. */
  bridged(link) {
    const ifname = link.netdev?.ifname;
    if (!ifname || (link.type !== 'bridge' && link.type !== 'alias')) return [];
    return [...this.sessions.values()].filter((one) => one.netdev?.bridge === ifname && one.netdev.netns === link.netdev.netns && !link.over.includes(keyOf(one.tunnel, one.name)));
  }

  /** The link that is the bridge of that name in that namespace, if one is. */
  bridgeLink(ifname, netns) {
    for (const link of this.links.values()) if (link.netdev?.ifname === ifname && (link.netdev.netns ?? null) === (netns ?? null)) return link;
    return null;
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
      if (this.unanswered(session)) found.push({ session, condition: 'silent' });
    }
    for (const link of this.links.values()) {
      if (isWrong(link)) found.push({ link, condition: link.condition });
      for (const name of this.linkGrowing(link)) found.push({ link, counter: name, count: this.linkCounters(link)[name] });
    }
    const rank = (one) => (one.counter ? RANK.trouble : RANK[one.condition] ?? 0);
    return found.sort((a, b) => rank(a) - rank(b));
  }

  /** How many tunnels, sessions and links there are in each condition. */
  tally() {
    const tally = (things) => {
      const counts = { all: 0, up: 0, down: 0, missing: 0, incomplete: 0 };
      for (const thing of things) { counts.all += 1; counts[thing.condition] += 1; }
      return counts;
    };
    const silent = [...this.sessions.values()].filter((one) => this.looksOfSession(one) === 'silent').length;
    return { tunnels: tally(this.tunnels.values()), sessions: { ...tally(this.sessions.values()), silent }, links: tally(this.links.values()) };
  }
}

/** Names with numbers in them in the order that people expect: s2 before s10. */
export const byName = new Intl.Collator('en', { numeric: true }).compare;

/** Whether its counters ever counted trouble. */
export const everBad = (counters) => badness(counters) > 0;
