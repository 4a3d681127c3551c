"""A generic-netlink socket of one network namespace, with the l2tp family resolved. Imports pyroute2 when used.

pyroute2 gives the socket and encodes the requests, but for those made for each of thousands of sessions: packed here,
they take a tenth of the time. Its own L2tp helper is not used (it can't set cookies, swaps the
IPv6 checksum flags, can't switch sequencing off), nor its event loop: a blocking request needs none, works from any
thread and inside a running loop, and answers are read by reply.py in a fraction of the time.
"""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Callable
from functools import cache
from struct import Struct
from typing import Any

from l2tpv3.datapath.kernel.reply import read_family, read_sessions
from l2tpv3.datapath.kernel.requests import Attributes, session_key, tunnel_key
from l2tpv3.datapath.kernel.uapi import FAMILY_NAME, FAMILY_VERSION, Command
from l2tpv3.netlink.message import Answer, attribute, message, zero_terminated
from l2tpv3.netns import inside
from l2tpv3.state import Session

_RECEIVE_BYTES = 1 << 16
"""The kernel fills dump datagrams up to 32 KiB when the reader offers as much (netlink_dump in af_netlink.c)."""

_TIMEOUT_S = 60.0
"""An answer that takes longer is lost: the kernel works on a request within the send call."""


class FamilyMissing(Exception):
    """The kernel has no generic-netlink family `l2tp`: l2tp_netlink is not loaded and could not be loaded by it."""


class L2tpSocket:
    """Requests to the l2tp family in the namespace where it was opened. Use in a `with` block.

    Raises FamilyMissing, NotFoundError or NotPermittedError (the namespace). Methods raise OSError with the kernel's
    errno and words.
    """

    def __init__(self, netns: str | None) -> None:
        from pyroute2.netlink import NETLINK_GENERIC
        from pyroute2.netlink.nlsocket import AsyncNetlinkSocket

        # setup_socket() makes the plain socket in the calling thread, at once; the object around it opens nothing.
        with inside(netns):
            self._socket: socket.socket = AsyncNetlinkSocket(family=NETLINK_GENERIC, ext_ack=True).setup_socket()
        self._sequence = itertools.count(1)
        self._family = 0
        try:
            self._socket.settimeout(_TIMEOUT_S)
            self._socket.bind((0, 0))
            self._family = self._resolve()
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> L2tpSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _resolve(self) -> int:
        """The family's number. Asking by name makes the kernel try to load l2tp_netlink (ctrl_getfamily())."""
        from pyroute2.netlink import CTRL_CMD_GETFAMILY, GENL_ID_CTRL, NLM_F_ACK, NLM_F_REQUEST, ctrlmsg

        try:
            names = [("CTRL_ATTR_FAMILY_NAME", FAMILY_NAME)]
            answer = self._ask(ctrlmsg, GENL_ID_CTRL, NLM_F_REQUEST | NLM_F_ACK, CTRL_CMD_GETFAMILY, names)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise FamilyMissing from error
            raise
        number = read_family(answer)
        if number is None:
            raise FamilyMissing
        return number

    def request(self, command: Command, attributes: Attributes) -> Answer:
        """Have the kernel do one thing; returns when it is acknowledged."""
        from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST

        return self._ask(_message_class(), self._family, NLM_F_REQUEST | NLM_F_ACK, command, attributes)

    def dump(self, command: Command) -> Answer:
        """All tunnels (TUNNEL_GET) or sessions (SESSION_GET) of the namespace. The kernel knows no filter."""
        from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST

        return self._ask(_message_class(), self._family, NLM_F_REQUEST | NLM_F_DUMP, command, [])

    def has_tunnel(self, tunnel_id: int) -> bool:
        """Whether the tunnel exists; it does until the last of an asynchronous delete is done."""
        return self._get(Command.TUNNEL_GET, tunnel_key(tunnel_id)) is not None

    def session(self, tunnel_id: int, session_id: int) -> Session | None:
        """The session, None when that tunnel has none with that id.

        From Linux 6.11 on the kernel answers with any tunnel's session of that id (l2tp_v3_session_get looks at the
        tunnel only among several), and would change or delete it as readily: look here first.
        """
        answer = self._get(Command.SESSION_GET, session_key(tunnel_id, session_id))
        sessions = read_sessions(answer).get(tunnel_id, ()) if answer else ()
        return next((one for one in sessions if one.session_id == session_id), None)

    def _get(self, command: Command, key: Attributes) -> Answer | None:
        try:
            return self.request(command, key)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise

    def _ask(self, kind: Any, number: int, flags: int, command: int, attributes: Attributes) -> Answer:
        sequence = next(self._sequence)
        plain = _pack(attributes)
        if plain is not None and number == self._family:
            request = message(number, flags, sequence, bytes((command, FAMILY_VERSION, 0, 0)) + plain)
        else:
            request = self._encode(kind, number, flags, sequence, command, attributes)
        answer = Answer(sequence)
        try:
            self._socket.send(request)
            while not answer.feed(self._socket.recv(_RECEIVE_BYTES)):
                pass
        except TimeoutError as error:
            raise OSError(errno.ETIMEDOUT, "the kernel does not answer") from error
        return answer

    @staticmethod
    def _encode(kind: Any, number: int, flags: int, sequence: int, command: int, attributes: Attributes) -> bytes:
        encoded = kind()
        encoded["cmd"], encoded["version"] = command, FAMILY_VERSION
        encoded["attrs"] = [list(attribute) for attribute in attributes]
        encoded["header"].update({"type": number, "flags": flags, "sequence_number": sequence, "pid": 0})
        encoded.encode()
        return bytes(encoded.data)


_PLAIN: dict[str, tuple[int, Callable[[Any], bytes]]] = {
    "L2TP_ATTR_PW_TYPE": (1, Struct("=H").pack),
    "L2TP_ATTR_L2SPEC_TYPE": (5, Struct("=B").pack),
    "L2TP_ATTR_IFNAME": (8, zero_terminated),
    "L2TP_ATTR_CONN_ID": (9, Struct("=I").pack),
    "L2TP_ATTR_SESSION_ID": (11, Struct("=I").pack),
    "L2TP_ATTR_PEER_SESSION_ID": (12, Struct("=I").pack),
    "L2TP_ATTR_COOKIE": (15, bytes),
    "L2TP_ATTR_PEER_COOKIE": (16, bytes),
    "L2TP_ATTR_RECV_SEQ": (18, Struct("=B").pack),
    "L2TP_ATTR_SEND_SEQ": (19, Struct("=B").pack),
    "L2TP_ATTR_LNS_MODE": (20, Struct("=B").pack),
    "L2TP_ATTR_RECV_TIMEOUT": (22, Struct("=Q").pack),
}
"""The attributes of requests about sessions: number and encoding."""


def _pack(attributes: Attributes) -> bytes | None:
    """What is between a request's header and its end, if nothing but sessions' attributes is in it."""
    packed = b""
    for name, value in attributes:
        known = _PLAIN.get(name)
        if known is None:
            return None
        packed += attribute(known[0], known[1](value))
    return packed


@cache
def _message_class() -> Any:
    """A genlmsg for the requests of requests.py. Cookies are bytes (`cdata`), where pyroute2's own takes hex text."""
    from pyroute2.netlink import genlmsg

    class L2tpMessage(genlmsg):  # type: ignore[misc]  # pyroute2 has no types
        prefix = "L2TP_ATTR_"
        nla_map = (
            (1, "L2TP_ATTR_PW_TYPE", "uint16"),
            (2, "L2TP_ATTR_ENCAP_TYPE", "uint16"),
            (5, "L2TP_ATTR_L2SPEC_TYPE", "uint8"),
            (7, "L2TP_ATTR_PROTO_VERSION", "uint8"),
            (8, "L2TP_ATTR_IFNAME", "asciiz"),
            (9, "L2TP_ATTR_CONN_ID", "uint32"),
            (10, "L2TP_ATTR_PEER_CONN_ID", "uint32"),
            (11, "L2TP_ATTR_SESSION_ID", "uint32"),
            (12, "L2TP_ATTR_PEER_SESSION_ID", "uint32"),
            (13, "L2TP_ATTR_UDP_CSUM", "uint8"),
            (15, "L2TP_ATTR_COOKIE", "cdata"),
            (16, "L2TP_ATTR_PEER_COOKIE", "cdata"),
            (18, "L2TP_ATTR_RECV_SEQ", "uint8"),
            (19, "L2TP_ATTR_SEND_SEQ", "uint8"),
            (20, "L2TP_ATTR_LNS_MODE", "uint8"),
            (22, "L2TP_ATTR_RECV_TIMEOUT", "uint64"),
            (24, "L2TP_ATTR_IP_SADDR", "ip4addr"),
            (25, "L2TP_ATTR_IP_DADDR", "ip4addr"),
            (26, "L2TP_ATTR_UDP_SPORT", "uint16"),
            (27, "L2TP_ATTR_UDP_DPORT", "uint16"),
            (31, "L2TP_ATTR_IP6_SADDR", "ip6addr"),
            (32, "L2TP_ATTR_IP6_DADDR", "ip6addr"),
            (33, "L2TP_ATTR_UDP_ZERO_CSUM6_TX", "flag"),
            (34, "L2TP_ATTR_UDP_ZERO_CSUM6_RX", "flag"),
        )

    return L2tpMessage
