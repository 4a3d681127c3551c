// What encrypts a tunnel, as pairs for `facts`.

import { bytes, stamp } from '../format.js';

const moment = (seconds) => (seconds === null ? null : stamp(new Date(seconds * 1000)));

/** Who encrypts it, since when, the last handshake, where the peer is now, and bytes; none where nothing is to. */
export function aboutEncryption(one) {
  if (!one) return [];
  const pid = one.pid === null ? '' : `, pid ${one.pid}`;
  const how = one.ifname === null ? `${one.algorithm}${one.in_udp ? ' in UDP' : ''}` : `netdev ${one.ifname}`;
  return [
    ['encrypted by', one.by === null ? 'nothing yet' : `${one.by}${pid}, ${how}`], ['encrypted since', moment(one.since)],
    ['last handshake', moment(one.handshake) ?? 'never'], ['peer is now at', one.endpoint],
    ['encrypted bytes', `${bytes(one.tx_bytes)} sent, ${bytes(one.rx_bytes)} received`],
    ...(one.public_key ? [
      ['addresses inside', `${one.local} to ${one.remote}`, 'wide'], ['public key', one.public_key, 'wide'],
    ] : []),
  ];
}
