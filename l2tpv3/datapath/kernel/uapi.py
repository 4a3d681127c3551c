"""Numbers of include/uapi/linux/l2tp.h that this datapath uses."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

FAMILY_NAME: Final = "l2tp"
FAMILY_VERSION: Final = 1

PWTYPE_ETH: Final = 5
"""L2TP_PWTYPE_ETH: what l2tp_eth registers."""
PROTOCOL_VERSION: Final = 3


class Command(IntEnum):
    """The commands of the generic netlink family `l2tp`: L2TP_CMD_* of linux/l2tp.h."""

    TUNNEL_CREATE = 1
    TUNNEL_DELETE = 2
    TUNNEL_GET = 4
    SESSION_CREATE = 5
    SESSION_DELETE = 6
    SESSION_MODIFY = 7
    SESSION_GET = 8


class EncapType(IntEnum):
    """The values of attribute ENCAP_TYPE: L2TP_ENCAPTYPE_* of linux/l2tp.h."""

    UDP = 0
    IP = 1


class SublayerType(IntEnum):
    """The values of attribute L2SPEC_TYPE: L2TP_L2SPECTYPE_* of linux/l2tp.h."""

    NONE = 0
    DEFAULT = 1


class Attribute:
    """L2TP_ATTR_* of requests, answers and dumps. Plain ints: an IntEnum costs a dump several times as much."""

    PW_TYPE: Final = 1
    ENCAP_TYPE: Final = 2
    L2SPEC_TYPE: Final = 5
    PROTO_VERSION: Final = 7
    IFNAME: Final = 8
    CONN_ID: Final = 9
    PEER_CONN_ID: Final = 10
    SESSION_ID: Final = 11
    PEER_SESSION_ID: Final = 12
    UDP_CSUM: Final = 13
    COOKIE: Final = 15
    PEER_COOKIE: Final = 16
    RECV_SEQ: Final = 18
    SEND_SEQ: Final = 19
    LNS_MODE: Final = 20
    RECV_TIMEOUT: Final = 22
    IP_SADDR: Final = 24
    IP_DADDR: Final = 25
    UDP_SPORT: Final = 26
    UDP_DPORT: Final = 27
    STATS: Final = 30
    IP6_SADDR: Final = 31
    IP6_DADDR: Final = 32
    UDP_ZERO_CSUM6_TX: Final = 33
    UDP_ZERO_CSUM6_RX: Final = 34


RX_INVALID: Final = 11
"""L2TP_ATTR_RX_INVALID, the one counter of a tunnel that is used."""

STATISTICS: Final = {
    1: "tx_packets",
    2: "tx_bytes",
    3: "tx_errors",
    4: "rx_packets",
    5: "rx_bytes",
    6: "rx_seq_discards",
    10: "rx_cookie_discards",
    7: "rx_oos_packets",
    8: "rx_errors",
    RX_INVALID: "rx_invalid",
}
"""Attributes inside L2TP_ATTR_STATS, all u64, by their Counters name, in the order in which l2tp_nl_session_send()
writes them. 9 is padding; pyroute2 0.9.7 knows none after it."""
