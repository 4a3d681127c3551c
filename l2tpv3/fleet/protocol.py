"""What a fleet's coordinator and its hosts have to agree on."""

from __future__ import annotations

from typing import Final

FLEET_END: Final = "fleet-end"
"""The command of l2tpctl that is run at a host."""
FLEET_PROTOCOL: Final = 2
"""The version of requests and answers. Both ends have to have the same."""
LINE_MAX: Final = 64 << 20
"""Bytes of a request or an answer at most, each of which is one line of JSON."""
