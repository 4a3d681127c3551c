"""A generic-netlink socket of one network namespace, with the l2tp family resolved.

pyroute2 has all that this needs, but importing any of it takes longer than making a hundred sessions, and its own L2tp
helper can't set cookies, swaps the IPv6 checksum flags and can't switch sequencing off.
"""

from __future__ import annotations

import errno

from l2tpv3.datapath.kernel.decode import read_family, read_sessions
from l2tpv3.datapath.kernel.encode import family_key, session_key, tunnel_key
from l2tpv3.datapath.kernel.uapi import CTRL_CMD_GETFAMILY, FAMILY_VERSION, GENL_ID_CTRL, NETLINK_GENERIC, Command
from l2tpv3.linux.netlink.message import NLM_F_ACK, Answer
from l2tpv3.linux.netlink.sock import NetlinkSocket
from l2tpv3.model.observed import Session

_HEADER_BYTES = 4  # struct genlmsghdr: command, version, reserved


class FamilyMissing(Exception):
    """The kernel has no generic-netlink family `l2tp`: l2tp_netlink is not loaded and could not be loaded by it."""


class L2tpSocket(NetlinkSocket):
    """Requests to the l2tp family in the namespace where it was opened. Use in a `with` block.

    Raises FamilyMissing, NotFoundError or NotPermittedError (the namespace). Methods raise OSError with the kernel's
    errno and words.
    """

    def __init__(self, netns: str | None) -> None:
        super().__init__(NETLINK_GENERIC, netns, _HEADER_BYTES)
        try:
            self._family = self._resolve()
        except BaseException:
            self.close()
            raise

    def _resolve(self) -> int:
        """The family's number. Asking by name makes the kernel try to load l2tp_netlink (ctrl_getfamily())."""
        try:
            answer = self.request(GENL_ID_CTRL, bytes((CTRL_CMD_GETFAMILY, FAMILY_VERSION, 0, 0)) + family_key())
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise FamilyMissing from error
            raise
        number = read_family(answer)
        if number is None:
            raise FamilyMissing
        return number

    def command(self, command: Command, attributes: bytes) -> Answer:
        """Have the kernel do one thing; returns when it is acknowledged."""
        return self._ask(self._family, NLM_F_ACK, bytes((command, FAMILY_VERSION, 0, 0)) + attributes)

    def list(self, command: Command) -> Answer:
        """All tunnels (TUNNEL_GET) or sessions (SESSION_GET) of the namespace. The kernel knows no filter."""
        return self.dump(self._family, bytes((command, FAMILY_VERSION, 0, 0)))

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

    def _get(self, command: Command, key: bytes) -> Answer | None:
        try:
            return self.command(command, key)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise
