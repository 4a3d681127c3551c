// The service, by fetch. The token is kept for this tab alone, and sent as a header: no cookies, so no other site can
// have this browser ask for anything in our name.

import { onThisPage } from './words.js';

const KEY = 'l2tpv3-token';
const WAIT_MS = 60000;

/** What the service answered that was not success: an RFC 9457 problem. */
export class Problem extends Error {
  constructor(status, body, hostname = '') {
    super(body.detail || body.problem || body.title || `the service answered ${status}`);
    this.status = status;
    this.hostname = hostname; // of the host that asks for a token
    this.body = body;
    this.slug = body.slug ?? '';
    this.subject = body.subject ?? '';
    this.problem = body.problem ?? this.message;
    this.remedy = body.remedy ?? '';
    this.errors = body.errors ?? [];
  }
}

/** Take the token out of the address bar, where it would be seen and kept in the history. */
export function tokenFromAddress() {
  const found = /^#token=([^&]+)/.exec(location.hash);
  if (!found) return;
  setToken(decodeURIComponent(found[1]));
  history.replaceState(null, '', `${location.pathname}${location.search}#/`);
}

export const token = () => sessionStorage.getItem(KEY);

export function setToken(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

/** A path below the service, with each part encoded. */
export const path = (...parts) => `v1/${parts.map(encodeURIComponent).join('/')}`;

/** Ask; the Response, whatever its status. */
export function ask(url, { headers = {}, ...rest } = {}) {
  const all = { ...headers };
  if (token()) all.Authorization = `Bearer ${token()}`;
  return fetch(url, { cache: 'no-store', credentials: 'same-origin', redirect: 'error', headers: all, ...rest });
}

/** What an answer that was no success tells. */
export async function problemOf(response) {
  const said = await response.text().catch(() => '');
  const hostname = /realm="([^"]*)"/.exec(response.headers.get('WWW-Authenticate') ?? '')?.[1] ?? '';
  try {
    return new Problem(response.status, JSON.parse(said), hostname);
  } catch {
    return new Problem(response.status, { detail: said.slice(0, 300) || response.statusText }, hostname);
  }
}

/** Ask and expect success. Throws Problem, or TypeError where the service can't be reached. */
export async function request(method, url, { body, type = 'application/json', accept = 'application/json', headers = {}, signal } = {}) {
  const sent = { Accept: `${accept}, application/problem+json`, ...headers };
  if (body !== undefined) sent['Content-Type'] = type;
  const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const response = await ask(url, { method, headers: sent, body: content, signal: signal ?? AbortSignal.timeout(WAIT_MS) });
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** GET a JSON document. */
export const get = async (url) => (await request('GET', url)).json();

/** Send something; the JSON that came back, null where there was none. */
export async function send(method, url, body, headers) {
  const response = await request(method, url, { body, headers });
  const said = await response.text();
  return said ? JSON.parse(said) : null;
}

/** All pages of a list. */
export async function all(url, key) {
  const found = [];
  const separator = url.includes('?') ? '&' : '?';
  let cursor = null;
  do {
    const page = await get(cursor ? `${url}${separator}cursor=${encodeURIComponent(cursor)}` : url);
    found.push(...page[key]);
    cursor = page.next ?? null;
  } while (cursor);
  return found;
}

/** What to tell of an error, in one or two sentences. */
export function told(error) {
  if (error instanceof Problem) {
    const subject = error.subject ? `${error.subject}: ` : '';
    return onThisPage(`${subject}${error.problem}${error.remedy ? `; ${error.remedy}` : ''}`);
  }
  if (error.name === 'TimeoutError') return 'The service did not answer in time.';
  return 'The service cannot be reached.';
}
