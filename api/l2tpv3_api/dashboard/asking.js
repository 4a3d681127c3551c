// What of the service's events a page asks for: no more than it shows, where there is much.

import { keyOf } from './model.js';

const COUNTERS_S = 1;
/** On pages that show no rates: often enough for trouble and plots to go on. */
const SELDOM_S = 10;
/** From so many sessions and links on, a page of one of them leaves out the counters of the others. */
const MANY = 100;
/** And where one shows more than so many, it asks for all. */
const NAMED_MAX = 200;

/** The address to read events from, for a view: its `rates`, and `shows()`, which sessions and links it is about. */
export function eventsUrl(view, model) {
  const query = new URLSearchParams({ counters: view.rates ? COUNTERS_S : SELDOM_S });
  const { sessions = [], links = [] } = view.shows?.() ?? {};
  const named = sessions.length + links.length;
  if (view.rates && named && named <= NAMED_MAX && model.sessions.size + model.links.size >= MANY) {
    for (const { tunnel, name } of sessions) query.append('session', keyOf(tunnel, name));
    for (const name of links) query.append('link', name);
  }
  return `v1/events?${query}`;
}
