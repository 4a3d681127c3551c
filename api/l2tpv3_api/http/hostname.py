"""The name of this host, so that nobody takes one host's page or answers for another's."""

from __future__ import annotations

import re
import socket
from typing import Final

_MAX: Final = 64
_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9._-]")


def hostname() -> str:
    """This host's name, as `hostname` prints it: at most 64 characters, anything unusual in it shown as "?"."""
    return _UNUSUAL.sub("?", socket.gethostname())[:_MAX]


def challenge() -> str:
    """The value of WWW-Authenticate: a bearer token, of this host (RFC 6750 section 3, RFC 9110 section 11.5)."""
    return f'Bearer realm="{hostname()}"'
