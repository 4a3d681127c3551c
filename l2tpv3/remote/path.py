"""Names in a service's paths."""

from __future__ import annotations

import re

from l2tpv3.host.base import no_link, no_session, no_tunnel

# A name on record (ids.parse_name), or a foreign one: DATAPATH:ID. Nothing else is ever sent, however it is quoted: a
# server that unquotes first and looks for slashes then would take `a/sessions/b` for a session of a.
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


def tunnel_path(name: str) -> str:
    """Where a tunnel is. Raises NotFoundError for what can be no tunnel's name."""
    if not _SEGMENT.fullmatch(name):
        raise no_tunnel(name)
    return f"/v1/tunnels/{name}"


def session_path(tunnel: str, name: str) -> str:
    """Where a session is. Raises NotFoundError for what can be no name."""
    where = tunnel_path(tunnel)
    if not _SEGMENT.fullmatch(name):
        raise no_session(tunnel, name)
    return f"{where}/sessions/{name}"


def link_path(name: str) -> str:
    """Where a link is. Raises NotFoundError for what can be no link's name."""
    if not _SEGMENT.fullmatch(name):
        raise no_link(name)
    return f"/v1/links/{name}"
