// How a thing is shown: as its condition, or, where that is up, as what its counters tell of it besides.

/** What shape each look has, so that colour is not the only cue. */
export const MARKS = { up: '●', silent: '◇', down: '○', missing: '✕', incomplete: '◐', trouble: '▲' };

/** And its word, where that is another. */
const WORDS = { silent: 'hears nothing', trouble: 'trouble' };
export const wordOf = (looks) => WORDS[looks] ?? looks;

/** What is worst comes first. */
export const RANK = { incomplete: 0, missing: 1, trouble: 2, silent: 3, down: 4, up: 5 };

/** Choices for a list: what to show of it. */
export const CONDITIONS = [['', 'any state'], ['up', 'up'], ['trouble', 'in trouble'], ['silent', 'hears nothing'], ['down', 'down'], ['missing', 'missing'], ['incomplete', 'incomplete']];

/** How long trouble counts as present after a counter last grew. */
export const FRESH_S = 30;
/** Sending so long without hearing anything is told; at once of a session that has never heard anything. */
export const SILENT_S = 30;

/** When a session sent and when it heard something, as its counters tell. Times in seconds, null where that was not seen. */
export class Hearing {
  constructor() {
    this.heard = null;
    this.sent = null;
    this.unanswered = null; // since when it sends without hearing anything
  }

  /** Note what was counted at that time, and before. */
  note(at, now, before) {
    if (now.rx_packets !== before.rx_packets) { this.heard = at; this.unanswered = null; }
    if (now.tx_packets > before.tx_packets) {
      this.sent = at;
      if (this.heard !== at) this.unanswered ??= at;
    }
  }

  /** For how many seconds it sends and hears nothing; 0 where it does not. */
  silence(clock) {
    return this.unanswered !== null && clock - this.sent <= FRESH_S ? clock - this.unanswered : 0;
  }
}
