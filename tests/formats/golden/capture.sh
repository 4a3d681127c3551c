#!/bin/bash
# Writes what `ip l2tp show` prints for the tunnels below, for test_iproute2.py: run it as root where l2tp_eth works.
#   netns-lab/guest -- tests/formats/golden/capture.sh
set -euo pipefail
cd "$(dirname "$0")"
ip link set lo up
ip addr add 192.0.2.1/24 dev lo
ip addr add 2001:db8::1/64 dev lo nodad

tunnel() { ip l2tp add tunnel "$@"; }
session() { ip l2tp add session "$@"; }
# One at a time, as `ip` repeats values of the session before where one has none.
show() {
  echo "# tunnel $tunnel_words"
  echo "# session $session_words"
  # shellcheck disable=SC2086
  tunnel $tunnel_words && session $session_words
  ip l2tp show tunnel
  echo "--"
  ip l2tp show session
  ip l2tp del session tunnel_id "$1" session_id "$2"
  ip l2tp del tunnel tunnel_id "$1"
  until [[ -z $(ip l2tp show tunnel) ]]; do sleep 0.1; done
  echo "===="
}
{
  tunnel_words="tunnel_id 1 peer_tunnel_id 2 local 192.0.2.1 remote 192.0.2.2 encap udp udp_sport 1701 udp_dport 1702"
  session_words="tunnel_id 1 session_id 3 peer_session_id 4"
  show 1 3
  tunnel_words="tunnel_id 1 peer_tunnel_id 2 local 192.0.2.1 remote 192.0.2.2 udp_sport 1701 udp_dport 1702 udp_csum on"
  session_words="tunnel_id 1 session_id 3 peer_session_id 4 name pw0 cookie 0123456789abcdef peer_cookie 89abcdef"
  show 1 3
  tunnel_words="tid 4294967295 ptid 0x10 local 192.0.2.1 remote 192.0.2.2 encap ip"
  session_words="tid 4294967295 sid 3 psid 4294967294 peer_cookie 89abcdef seq both"
  show 4294967295 3
  tunnel_words="tunnel_id 1 peer_tunnel_id 2 local 2001:db8::1 remote 2001:db8::2 encap udp udp_sport 5 udp_dport 6"
  session_words="tunnel_id 1 session_id 3 peer_session_id 4 seq send l2spec_type default"
  show 1 3
  tunnel_words="tunnel_id 1 peer_tunnel_id 2 local 2001:db8::1 remote 2001:db8::2 udp_sport 5 udp_dport 6 udp6_csum_tx off udp6_csum_rx off"
  session_words="tunnel_id 1 session_id 3 peer_session_id 4 l2spec_type NONE cookie 89abcdef"
  show 1 3
  tunnel_words="tunnel_id 1 peer_tunnel_id 2 local 2001:db8::1 remote 2001:db8::2 encap ip"
  session_words="tunnel_id 1 session_id 3 peer_session_id 4 seq recv"
  show 1 3
} >ip-l2tp-show.txt
