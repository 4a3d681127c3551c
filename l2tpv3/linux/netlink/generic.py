"""Generic netlink (include/uapi/linux/genetlink.h): a socket for one of the kernel's families, found by its name."""

from __future__ import annotations

import errno
from typing import Final

from l2tpv3.linux.netlink.message import Answer, attribute, attributes, unsigned, zero_terminated
from l2tpv3.linux.netlink.sock import NetlinkSocket

NETLINK_GENERIC: Final = 16
HEADER_BYTES: Final = 4
"""Of struct genlmsghdr: command, version, reserved."""
CONTROL: Final = 0x10
"""GENL_ID_CTRL, the family `nlctrl`, which tells of all families."""
GET_FAMILY: Final = 3
"""Its command CTRL_CMD_GETFAMILY."""
FAMILY_ID, FAMILY_NAME, GROUPS, GROUP_NAME, GROUP_ID = 1, 2, 7, 1, 2
"""CTRL_ATTR_*, and of a group CTRL_ATTR_MCAST_GRP_*."""


class FamilyMissing(Exception):
    """The kernel has no family of that name: its module is not loaded, and the kernel could not load it."""


class FamilySocket(NetlinkSocket):
    """Requests to one family in the namespace where it was opened. Use in a `with` block.

    Raises FamilyMissing, NotFoundError or NotPermittedError (the namespace), OSError. Methods raise OSError with the
    kernel's errno and words.
    """

    def __init__(self, family: str, version: int, netns: str | None) -> None:
        super().__init__(NETLINK_GENERIC, netns, HEADER_BYTES)
        self._version = version
        try:
            self._family = self._number_of(family)
        except BaseException:
            self.close()
            raise

    def _number_of(self, family: str) -> int:
        """The family's number. Asking by name makes the kernel try to load its module (ctrl_getfamily())."""
        name = attribute(FAMILY_NAME, zero_terminated(family))
        try:
            answer = self.request(CONTROL, bytes((GET_FAMILY, 1, 0, 0)) + name)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise FamilyMissing from error
            raise
        number = read_family(answer)
        if number is None:
            raise FamilyMissing
        return number

    def command(self, command: int, attributes: bytes) -> Answer:
        """Have the kernel do one thing; returns when it is acknowledged."""
        return self.request(self._family, self._header(command) + attributes)

    def list(self, command: int, attributes: bytes = b"") -> Answer:
        """A dump of what a command gives."""
        return self.dump(self._family, self._header(command) + attributes)

    def _header(self, command: int) -> bytes:
        return bytes((command, self._version, 0, 0))


def read_family(answer: Answer) -> int | None:
    """The number in an answer to GET_FAMILY."""
    for datagram, spans in answer.datagrams:
        for offset, end in spans:
            found = attributes(datagram, offset, end).get(FAMILY_ID)
            if found:
                return unsigned(datagram, found)
    return None
