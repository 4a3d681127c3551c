// Server-sent events by fetch, since EventSource can't send a token. It comes back by itself, and resumes.

import { ask, Problem, problemOf } from './api.js';

const SHORTEST_MS = 400;
const LONGEST_MS = 8000;
const SILENCE_MS = 45000;

/** Parse a stream's text into events {type, id, data}; `rest` is kept from piece to piece (HTML, section 9.2.6). */
export class Parser {
  #rest = '';
  #event = { type: 'message', id: '', data: [] };

  push(piece) {
    const found = [];
    const lines = piece.split('\n'); // the piece alone: the line of all counters comes in a dozen of them
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop();
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
      if (line === '') {
        if (this.#event.data.length || this.#event.id) found.push({ ...this.#event, data: this.#event.data.join('\n') });
        this.#event = { type: 'message', id: '', data: [] };
        continue;
      }
      if (line.startsWith(':')) continue;
      const colon = line.indexOf(':');
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (name === 'event') this.#event.type = value;
      else if (name === 'data') this.#event.data.push(value);
      else if (name === 'id') this.#event.id = value;
    }
    return found;
  }
}

/** on: {event(type, data), state(word, seconds), open(resumed), refused(problem)}; resumed: what came since will follow. */
export class Stream {
  #on;
  #url = '';
  #lastId = '';
  #stopped = false;
  #paused = false;
  #anew = false;
  #abort = null;
  #wake = null;
  #failures = 0;

  constructor(on) {
    this.#on = on;
    window.addEventListener('online', () => this.#wake?.());
  }

  /** Read that address from now on; what happens while one is exchanged for the other is not missed. */
  from(url) {
    if (url === this.#url) return;
    this.#url = url;
    this.#anew = true;
    this.#abort?.abort();
  }

  /** Ask for nothing until `resume`. */
  pause() {
    this.#paused = true;
    this.#abort?.abort();
  }

  resume() {
    this.#paused = false;
    this.#wake?.();
  }

  async run() {
    while (!this.#stopped) {
      if (this.#paused) {
        this.#on.state('paused');
        await new Promise((resolve) => { this.#wake = resolve; });
        continue;
      }
      const quietly = this.#anew && this.#lastId !== ''; // another page wants other things: nothing is lost
      this.#anew = false;
      try {
        await this.#once(quietly);
      } catch (error) {
        if (error instanceof Problem && (error.status === 401 || error.status === 403)) {
          this.#on.refused(error);
          return;
        }
      }
      if (this.#stopped || this.#paused || this.#anew) continue;
      this.#failures += 1;
      const wait = Math.min(LONGEST_MS, SHORTEST_MS * 2 ** Math.min(this.#failures - 1, 6)) * (0.7 + 0.6 * Math.random());
      this.#on.state('waiting', Math.ceil(wait / 1000));
      await new Promise((resolve) => { this.#wake = resolve; setTimeout(resolve, wait); });
    }
  }

  stop() {
    this.#stopped = true;
    this.#abort?.abort();
    this.#wake?.();
  }

  async #once(quietly) {
    const abort = new AbortController();
    this.#abort = abort;
    // A connection can die without a word (a laptop asleep, a NAT that forgets): the service speaks up now and then.
    let silence = setTimeout(() => abort.abort(), SILENCE_MS);
    if (!quietly) this.#on.state('connecting');
    try {
      const headers = { Accept: 'text/event-stream' };
      const resumed = this.#lastId !== '';
      if (resumed) headers['Last-Event-ID'] = this.#lastId;
      const response = await ask(this.#url, { headers, signal: abort.signal });
      if (!response.ok) throw await problemOf(response);
      const parser = new Parser();
      let begun = false;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done || abort.signal.aborted) return;
        // The first piece comes when the service is on watch: what is listed from now on is no older than the events.
        if (!begun) { begun = true; this.#failures = 0; this.#on.state('live'); this.#on.open(resumed); }
        clearTimeout(silence);
        silence = setTimeout(() => abort.abort(), SILENCE_MS);
        for (const { type, id, data } of parser.push(value)) {
          if (id) this.#lastId = id;
          if (data) this.#on.event(type, JSON.parse(data));
        }
      }
    } finally {
      clearTimeout(silence);
      abort.abort();
    }
  }
}
