"""Says when an address was given without a prefix length: it is a host's then, which is seldom meant."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


def print_address_notes(subject: str, words: Mapping[str, Any]) -> None:
    """Say on stderr of each address without a prefix length what it became, and what has neighbours.

    subject: the session or link. words: what was given for it, its `address` as a list or separated by commas, already
    taken by the manager, so that each is an address or `none`.
    """
    given = words.get("address") or ()
    for address in given.split(",") if isinstance(given, str) else given:
        if "/" in address or address == "none":
            continue
        whole, usual = (128, 64) if ":" in address else (32, 24)
        became = f"address {address} has no prefix length, so it is {address}/{whole} and reaches no neighbour"
        print(f"{subject}: note: {became}; `--address {address}/{usual}` has a network", file=sys.stderr)
