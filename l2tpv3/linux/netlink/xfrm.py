"""Whether a network namespace has IPsec policies (xfrm(7)), and what they have dropped."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from l2tpv3.errors import L2tpError
from l2tpv3.linux.netlink.sock import NetlinkSocket
from l2tpv3.linux.netns import inside

_NETLINK_XFRM: Final = 6
_GET_POLICY: Final = 0x15  # XFRM_MSG_GETPOLICY
_HEADER_BYTES: Final = 64  # struct xfrm_userpolicy_id


def is_used(netns: str | None) -> bool:
    """Whether there is any policy. A kernel that has no xfrm has none; where it won't say, there may be some."""
    try:
        with NetlinkSocket(_NETLINK_XFRM, netns, _HEADER_BYTES) as xfrm:
            return bool(xfrm.dump(_GET_POLICY, bytes(_HEADER_BYTES)).datagrams)
    except OSError as error:
        return error.errno != errno.EPROTONOSUPPORT
    except L2tpError:
        return True


def drops(netns: str | None) -> dict[str, int]:
    """How many packets of a namespace were dropped, by the kernel's name of the reason; none where it counts none."""
    try:
        with inside(netns):
            lines = Path("/proc/thread-self/net/xfrm_stat").read_text("ascii").splitlines()
    except OSError:
        return {}
    return {name: int(number) for name, number in (line.split() for line in lines)}
