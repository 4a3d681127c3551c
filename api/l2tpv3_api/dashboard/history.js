// What the plots show: rates of the last minutes, in rings of numbers, as there may be a thousand of them.

export const KEPT = 300;

/** The counters that mean trouble, each with what it tells, and what to do. */
export const TROUBLE = {
  rx_cookie_discards: ['wrong cookie', 'The far end sends another cookie than this end expects. Compare both with “Peer configuration”.'],
  rx_seq_discards: ['sequence discards', 'Dropped for their sequence number, or for having none. Compare “sequencing” at both ends.'],
  rx_oos_packets: ['out of order', 'Packets overtake each other on the way. A reorder timeout puts them in order again.'],
  rx_errors: ['receive errors', 'Frames that could not be delivered: too short, over the MTU, or expired while waiting for earlier ones.'],
  tx_errors: ['send errors', 'Frames that could not be sent: no route, or larger than the path lets through.'],
  rx_incomplete: ['incomplete frames', 'A packet with a part of the frame was lost on the way.'],
  rx_too_long: ['too long frames', 'Their parts made them longer than the MTU allows. Compare MTUs at both ends.'],
  rx_invalid: ['malformed', 'Not data packets of this session’s shape. Compare cookie lengths and sublayers at both ends.'],
};
export const TROUBLES = Object.keys(TROUBLE);
export const TRAFFIC = ['rx_bytes', 'rx_packets', 'tx_bytes', 'tx_packets'];
const SERIES = ['rx', 'tx', 'rxp', 'txp', 'bad'];

/** A ring of rates, one entry a tick; NaN where nothing is known (the service was away). */
export class History {
  constructor() {
    this.at = new Float64Array(KEPT);
    for (const name of SERIES) this[name] = new Float32Array(KEPT);
    this.next = 0;
    this.length = 0;
  }

  add(at, rates) {
    this.at[this.next] = at;
    for (const name of SERIES) this[name][this.next] = rates ? rates[name] : NaN;
    this.next = (this.next + 1) % KEPT;
    this.length = Math.min(this.length + 1, KEPT);
  }

  /** As uPlot wants it: times, then each series; null is a gap. */
  data(...names) {
    const first = (this.next - this.length + KEPT) % KEPT;
    const columns = [new Array(this.length), ...names.map(() => new Array(this.length))];
    for (let i = 0; i < this.length; i += 1) {
      const k = (first + i) % KEPT;
      columns[0][i] = this.at[k];
      names.forEach((name, column) => {
        const value = this[name][k];
        columns[column + 1][i] = Number.isNaN(value) ? null : value;
      });
    }
    return columns;
  }
}

/** The rates between two sets of counters, some seconds apart. A counter that went back was made anew: no rate. */
export function ratesOf(now, before, seconds, troubles = TROUBLES) {
  const grown = (name) => Math.max(0, (now[name] ?? 0) - (before[name] ?? 0));
  const per = (name) => grown(name) / seconds;
  const bad = troubles.reduce((sum, name) => sum + grown(name), 0);
  return { rx: per('rx_bytes') * 8, tx: per('tx_bytes') * 8, rxp: per('rx_packets'), txp: per('tx_packets'), bad: bad / seconds };
}

/** All of a session's counters that mean trouble, added up. */
export const badness = (counters) => TROUBLES.reduce((sum, name) => sum + counters[name], 0);
