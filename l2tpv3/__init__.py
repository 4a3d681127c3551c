"""L2TPv3 ethernet pseudowires for Linux: the public names. Each is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l2tpv3.errors import L2tpError
    from l2tpv3.host.manager import Manager
    from l2tpv3.model.observed import Counters, TunnelCounters
    from l2tpv3.model.spec import Encap, Sequencing, SessionSpec, Sublayer, TunnelSpec
    from l2tpv3.model.status import Condition, NetdevState, SessionStatus, TunnelStatus
    from l2tpv3.paths import Paths

_HOMES = {
    "L2tpError": "errors",
    "Manager": "host.manager",
    "Paths": "paths",
    "Encap": "model.spec",
    "Sequencing": "model.spec",
    "SessionSpec": "model.spec",
    "Sublayer": "model.spec",
    "TunnelSpec": "model.spec",
    "Counters": "model.observed",
    "TunnelCounters": "model.observed",
    "Condition": "model.status",
    "NetdevState": "model.status",
    "SessionStatus": "model.status",
    "TunnelStatus": "model.status",
}

__all__ = [
    "Condition",
    "Counters",
    "Encap",
    "L2tpError",
    "Manager",
    "NetdevState",
    "Paths",
    "Sequencing",
    "SessionSpec",
    "SessionStatus",
    "Sublayer",
    "TunnelCounters",
    "TunnelSpec",
    "TunnelStatus",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'l2tpv3' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"l2tpv3.{home}"), name)
