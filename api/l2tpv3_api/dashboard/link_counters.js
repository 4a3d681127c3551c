// The counters of links, which are their netdevs' own; a port has none but what came in at each of its two ends.

/** Those that mean trouble, each with what it tells. Frames that are dropped are nothing unusual at a netdev. */
export const LINK_TROUBLE = {
  rx_errors: ['receive errors', 'Frames that its netdev received broken: look at the netdevs beneath it.'],
  tx_errors: ['send errors', 'Frames that its netdev could not send: look at the netdevs beneath it.'],
};
export const LINK_TROUBLES = Object.keys(LINK_TROUBLE);

/** A link's counters with those of every netdev in them. Of a port: in at its first end, out at it. */
export function countersOf({ type, over_now: over }, counters) {
  if (type !== 'port') return counters;
  const at = (i, what) => counters[`${over[i]}_${what}`] ?? 0;
  return { ...counters, rx_packets: at(0, 'packets'), rx_bytes: at(0, 'bytes'), tx_packets: at(1, 'packets'), tx_bytes: at(1, 'bytes') };
}
