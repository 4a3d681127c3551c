"""Control messages as bytes and as objects.

The bytes were written down octet by octet from RFC 3931's figures (3.2.1, 5.1 and each AVP's in 5.4), never by the
encoder; test_tshark.py has tshark read these very bytes. Debian packages no L2TPv3 control plane that could be a live
peer.
"""

from __future__ import annotations

from l2tpv3.wire import avp, control
from l2tpv3.wire.avp import AVP
from l2tpv3.wire.control import ControlMessage
from l2tpv3.wire.registry import Attribute, MessageType

HELLO = "c803 0014 01020304 0005 ffff  8008 0000 0000 0006"
ZLB = "c803 000c 00000007 0001 0002"
STOPCCN = """c803 0037 deadbeef 0003 0004
    8008 0000 0000 0004
    800a 0000 003d 00000009
    8019 0000 0001 0002 0008 617474726962757465 20393939 2121
"""
ICRQ = """c803 006a deadbeef 0002 0001
    8008 0000 0000 000a
    800a 0000 003f 01020304
    800a 0000 0040 00000000
    800e 0000 0041 0123456789abcdef
    000a 0000 000f 0000004d
    8008 0000 0044 0005
    8008 0000 0045 0001
    8008 0000 0046 0002
    8008 0000 0047 0003
    000a 0009 0002 00000001
"""

SLI = """c803 003e 00000002 0007 0000
    8008 0000 0000 0010
    800a 0000 003f 01020304
    800a 0000 0040 0a0b0c0d
    8008 0000 0047 0001
    000e 0000 0041 0123456789abcdef
"""

TABLE = [
    (HELLO, control.hello(0x01020304, 5, 0xFFFF)),
    (ZLB, ControlMessage(7, 1, 2)),
    (
        STOPCCN,
        ControlMessage(
            0xDEADBEEF,
            3,
            4,
            (
                AVP(0, b"\x00\x04"),
                AVP(61, b"\x00\x00\x00\x09"),
                AVP(1, b"\x00\x02\x00\x08attribute 999!!"),
            ),
        ),
    ),
    (
        ICRQ,
        ControlMessage(
            0xDEADBEEF,
            2,
            1,
            (
                avp.make(Attribute.MESSAGE_TYPE, MessageType.ICRQ),
                avp.make(Attribute.LOCAL_SESSION_ID, 0x01020304),
                avp.make(Attribute.REMOTE_SESSION_ID, 0),
                avp.make(Attribute.ASSIGNED_COOKIE, bytes.fromhex("0123456789abcdef")),
                avp.make(Attribute.SERIAL_NUMBER, 77, mandatory=False),
                avp.make(Attribute.PSEUDOWIRE_TYPE, 5),
                avp.make(Attribute.L2_SPECIFIC_SUBLAYER, 1),
                avp.make(Attribute.DATA_SEQUENCING, 2),
                avp.make(Attribute.CIRCUIT_STATUS, 3),
                AVP(2, b"\x00\x00\x00\x01", vendor_id=9, mandatory=False),
            ),
        ),
    ),
    (
        SLI,
        ControlMessage(
            2,
            7,
            0,
            (
                avp.make(Attribute.MESSAGE_TYPE, MessageType.SLI),
                avp.make(Attribute.LOCAL_SESSION_ID, 0x01020304),
                avp.make(Attribute.REMOTE_SESSION_ID, 0x0A0B0C0D),
                avp.make(Attribute.CIRCUIT_STATUS, 1),
                avp.make(Attribute.ASSIGNED_COOKIE, bytes.fromhex("0123456789abcdef"), mandatory=False),
            ),
        ),
    ),
]
