# scapy.contrib.description = Layer Two Tunneling Protocol, version 3 (L2TPv3)
# scapy.contrib.status = loads
# SPDX-License-Identifier: MIT

"""L2TPv3 (RFC 3931) over UDP and over IP, with ethernet pseudowires (RFC 4719) and control messages.

    over UDP, data:      UDP / L2TPv3 / [L2TPv3DefaultSublayer] / Ether
    over UDP, control:   UDP / L2TPv3Control                      (its AVPs are in the field `avps`)
    over IP, data:       IP  / L2TPv3IP / [L2TPv3DefaultSublayer] / Ether
    over IP, control:    IP  / L2TPv3IPControl / L2TPv3Control

Importing this module binds nothing outside it: call `bind_l2tpv3()`. (As scapy.contrib.l2tpv3 it binds itself, as
contrib modules do.) Version 2 keeps working: UDP port 1701 then leads to a dispatcher that looks at the version nibble
first, as RFC 3931 s. 4.1.2.1 asks, and gives scapy's own L2TP for version 2.

A data packet does not say how long its cookie is, nor whether a sublayer follows. Say so before dissecting:

    >>> conf.contribs["L2TPv3"]["cookie_length"] = 8           # for every session: 0 (the default), 4 or 8
    >>> conf.contribs["L2TPv3"]["sublayer"] = "default"        # or "none" (the default here)
    >>> conf.contribs["L2TPv3"]["sessions"][0x101] = {"cookie_length": 4, "sublayer": "none"}    # for one session id

Building needs no such settings: what is put together is what is sent.

    >>> IP(dst="192.0.2.2") / UDP() / L2TPv3(session_id=0x101, cookie=b"12345678") / L2TPv3DefaultSublayer() / Ether()
    >>> IP(dst="192.0.2.2") / UDP() / L2TPv3Control(ccid=7, avps=[AVPMessageType(message_type="HELLO")])
"""

from __future__ import annotations

from typing import Any

from scapy.config import conf
from scapy.fields import BitField, IntField, PacketListField, ShortField, StrLenField, ThreeBytesField
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.l2tp import L2TP
from scapy.packet import Packet, bind_bottom_up, bind_layers, bind_top_down, split_bottom_up, split_top_down

from l2tpv3.contrib.scapy.avps import L2TPv3AVP

L2TP_PORT = 1701
L2TP_IP_PROTOCOL = 115

conf.contribs.setdefault("L2TPv3", {"cookie_length": 0, "sublayer": "none", "sessions": {}})


def _setting(session_id: int, name: str) -> Any:
    """Give a session's dissection setting, or the general one."""
    settings = conf.contribs["L2TPv3"]
    return settings["sessions"].get(session_id, {}).get(name, settings[name])


class _DataHeader(Packet):  # type: ignore[misc]
    """What the two data headers share: what follows them, which only the settings tell."""

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        if _setting(self.session_id, "sublayer") == "default":
            return L2TPv3DefaultSublayer
        return Ether  # type: ignore[no-any-return]

    def mysummary(self) -> str:
        return f"L2TPv3 data session {self.session_id:#x}"


def _cookie() -> StrLenField:
    return StrLenField("cookie", b"", length_from=lambda packet: _setting(packet.session_id, "cookie_length"))


class L2TPv3(_DataHeader):
    """L2TPv3 session header over UDP (RFC 3931 s. 4.1.2.1); dissecting, it dispatches on version and T bit.

    ==========  ====  ==================================================
    field       bits  meaning
    ==========  ====  ==================================================
    T           1     0: data (1 dispatches to L2TPv3Control)
    reserved    11    0, ignored on receipt
    version     4     3 (2 dispatches to L2TP)
    reserved2   16    0, ignored on receipt
    session_id  32    the receiver's, not 0
    cookie      0-64  what the receiver expects: 0, 4 or 8 bytes
    ==========  ====  ==================================================
    """

    name = "L2TPv3 data over UDP"
    fields_desc = [  # noqa: RUF012
        BitField("T", 0, 1),
        BitField("reserved", 0, 11),
        BitField("version", 3, 4),
        ShortField("reserved2", 0),
        IntField("session_id", 1),
        _cookie(),
    ]

    @classmethod
    def dispatch_hook(cls, _pkt: bytes | None = None, *args: Any, **kargs: Any) -> type[Packet]:
        """Give the class for these bytes: version first, then the T bit; with no bytes, this class."""
        if _pkt is None:
            return cls
        if len(_pkt) < 2:
            return conf.raw_layer  # type: ignore[no-any-return]
        version = _pkt[1] & 0x0F
        if version == 2:
            return L2TP  # type: ignore[no-any-return]
        if version != 3:
            return conf.raw_layer  # type: ignore[no-any-return]
        return L2TPv3Control if _pkt[0] & 0x80 else cls


class L2TPv3IP(_DataHeader):
    """L2TPv3 session header over IP (RFC 3931 s. 4.1.1.1); dissecting, session id 0 gives L2TPv3IPControl.

    ==========  ====  ==================================================
    field       bits  meaning
    ==========  ====  ==================================================
    session_id  32    the receiver's, not 0
    cookie      0-64  what the receiver expects: 0, 4 or 8 bytes
    ==========  ====  ==================================================
    """

    name = "L2TPv3 data over IP"
    fields_desc = [IntField("session_id", 1), _cookie()]  # noqa: RUF012

    @classmethod
    def dispatch_hook(cls, _pkt: bytes | None = None, *args: Any, **kargs: Any) -> type[Packet]:
        """Give the class for these bytes: control when they begin with session id 0."""
        return L2TPv3IPControl if _pkt is not None and _pkt[:4] == b"\0\0\0\0" else cls


class L2TPv3DefaultSublayer(Packet):  # type: ignore[misc]
    """Default L2-specific sublayer (RFC 3931 s. 4.6; V, B and E: RFC 5085, RFC 4623). Ethernet, or a part, follows.

    ========  ====  ============================================
    field     bits  meaning
    ========  ====  ============================================
    V         1     VCCV: an associated channel header follows
    S         1     the sequence number is valid
    B, E      1, 1  0, 0: a whole frame follows; 0, 1: the first
                    part of one; 1, 0: the last; 1, 1: another
    reserved  4     0, ignored on receipt
    sequence  24    from 0, wraps; undefined when S is 0
    ========  ====  ============================================
    """

    name = "L2TPv3 default sublayer"
    fields_desc = [  # noqa: RUF012
        BitField("V", 0, 1),
        BitField("S", 0, 1),
        BitField("B", 0, 1),
        BitField("E", 0, 1),
        BitField("reserved", 0, 4),
        ThreeBytesField("sequence", 0),
    ]

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        """Give ethernet where a frame begins; where one goes on, just bytes."""
        return conf.raw_layer if self.B else Ether  # type: ignore[no-any-return]


class L2TPv3Control(Packet):  # type: ignore[misc]
    """L2TPv3 control message (RFC 3931 s. 3.2.1): a 12-byte header and a list of AVPs.

    =========  =========  =====================================================
    field      bits       meaning
    =========  =========  =====================================================
    T, L, S    1 each     all 1: control, length present, Ns and Nr present
    version    4          3
    length     16         from the T bit to the last AVP; computed when None
    ccid       32         the receiver's control connection id
    ns, nr     16, 16     this message's number, the number expected next
    avps                  L2TPv3AVP or one of its typed forms; none: an ack
    =========  =========  =====================================================
    """

    name = "L2TPv3 control"
    fields_desc = [  # noqa: RUF012
        BitField("T", 1, 1),
        BitField("L", 1, 1),
        BitField("reserved", 0, 2),
        BitField("S", 1, 1),
        BitField("reserved2", 0, 7),
        BitField("version", 3, 4),
        ShortField("length", None),
        IntField("ccid", 0),
        ShortField("ns", 0),
        ShortField("nr", 0),
        PacketListField("avps", [], L2TPv3AVP, length_from=lambda packet: max(packet.length - 12, 0)),
    ]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the length, which does not count what comes after the AVPs."""
        if self.length is None:
            pkt = pkt[:2] + len(pkt).to_bytes(2, "big") + pkt[4:]
        return pkt + pay

    def mysummary(self) -> str:
        kind = self.avps[0].sprintf("%message_type%") if self.avps else "ZLB"
        return f"L2TPv3 {kind} ccid {self.ccid:#x} ns {self.ns} nr {self.nr}"


class L2TPv3IPControl(Packet):  # type: ignore[misc]
    """The 4 zero bytes in front of a control message over IP (RFC 3931 s. 4.1.1.2): the reserved session id 0."""

    name = "L2TPv3 control over IP"
    fields_desc = [IntField("session_id", 0)]  # noqa: RUF012


# Between the layers of this module only.
bind_layers(L2TPv3DefaultSublayer, Ether)
bind_layers(L2TPv3IPControl, L2TPv3Control)


def bind_l2tpv3(port: int = L2TP_PORT) -> None:
    """Have scapy dissect UDP `port` and IP protocol 115 as L2TPv3, and fill them in when building.

    On port 1701 this goes before scapy's L2TP, which still gets what has version 2. Other ports can be added by calling
    again; ports are filled in by the last call.
    """
    # In front: the first match wins, and scapy's L2TP has the port already. (bind_bottom_up appends.)
    UDP.payload_guess = [({"dport": port}, L2TPv3), ({"sport": port}, L2TPv3), *UDP.payload_guess]
    for upper in (L2TPv3, L2TPv3Control):
        bind_top_down(UDP, upper, sport=port, dport=port)
    for upper in (L2TPv3IP, L2TPv3IPControl):
        bind_top_down(IP, upper, proto=L2TP_IP_PROTOCOL)
        bind_top_down(IPv6, upper, nh=L2TP_IP_PROTOCOL)
    bind_bottom_up(IP, L2TPv3IP, proto=L2TP_IP_PROTOCOL)
    bind_bottom_up(IPv6, L2TPv3IP, nh=L2TP_IP_PROTOCOL)


def unbind_l2tpv3(port: int = L2TP_PORT) -> None:
    """Undo `bind_l2tpv3`; scapy's own L2TP on port 1701 is then what it was."""
    split_bottom_up(UDP, L2TPv3, dport=port)
    split_bottom_up(UDP, L2TPv3, sport=port)
    for upper in (L2TPv3, L2TPv3Control):
        split_top_down(UDP, upper, sport=port, dport=port)
    for upper in (L2TPv3IP, L2TPv3IPControl):
        split_top_down(IP, upper, proto=L2TP_IP_PROTOCOL)
        split_top_down(IPv6, upper, nh=L2TP_IP_PROTOCOL)
    split_bottom_up(IP, L2TPv3IP, proto=L2TP_IP_PROTOCOL)
    split_bottom_up(IPv6, L2TPv3IP, nh=L2TP_IP_PROTOCOL)


if __name__ == "scapy.contrib.l2tpv3":
    bind_l2tpv3()
