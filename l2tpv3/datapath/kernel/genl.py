"""A generic-netlink socket of one network namespace, with the l2tp family resolved.

pyroute2 has all that this needs, but importing any of it takes longer than making a hundred sessions, and its own L2tp
helper can't set cookies, swaps the IPv6 checksum flags and can't switch sequencing off.
"""

from __future__ import annotations

import errno

from l2tpv3.datapath.kernel.decode import read_sessions, read_tunnels
from l2tpv3.datapath.kernel.encode import session_key, tunnel_key
from l2tpv3.datapath.kernel.uapi import FAMILY_NAME, FAMILY_VERSION, Command
from l2tpv3.linux.netlink.generic import FamilySocket
from l2tpv3.linux.netlink.message import Answer
from l2tpv3.model.observed import Session, Tunnel


class L2tpSocket(FamilySocket):
    """Requests to the l2tp family in the namespace where it was opened. Use in a `with` block.

    Raises FamilyMissing (l2tp_netlink is not loaded, and the kernel could not load it), NotFoundError or
    NotPermittedError (the namespace). Methods raise OSError with the kernel's errno and words. A dump (`list`) is of
    all tunnels (TUNNEL_GET) or sessions (SESSION_GET) of the namespace: the kernel knows no filter.
    """

    def __init__(self, netns: str | None) -> None:
        super().__init__(FAMILY_NAME, FAMILY_VERSION, netns)

    def has_tunnel(self, tunnel_id: int) -> bool:
        """Whether the tunnel exists; it does until the last of an asynchronous delete is done."""
        return self._get(Command.TUNNEL_GET, tunnel_key(tunnel_id)) is not None

    def tunnel(self, tunnel_id: int, sessions: list[Session]) -> list[Tunnel]:
        """The tunnel, as one that has these sessions; nothing when it does not exist."""
        answer = self._get(Command.TUNNEL_GET, tunnel_key(tunnel_id))
        return read_tunnels(answer, {tunnel_id: sessions}) if answer else []

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
