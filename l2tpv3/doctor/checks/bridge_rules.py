"""Rules of the packet filter in tables of family bridge, which drop frames between the ports of a bridge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from l2tpv3.doctor.case import Case, Check
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.printable import printable

_PLACE: Final = re.compile(r"\b(?:meta )?[io](?:if|br)(?:name)? (?P<not>!= )?(?P<name>\{[^}]*\}|\S+)")
"""What a rule says of a port or a bridge: `iifname "l2tpeth0"`."""
_MOST_FRAMES: Final = re.compile(r"(meta protocol|ether type) (ip|arp)")


def _dropping(case: Case) -> Iterator[Finding]:
    """A rule has dropped frames while it was listened, and may be about the session's port. On purpose rules drop some
    kinds of frames: only those that drop all, or all of IPv4, do harm.
    """
    if case.counts is None:
        return
    before, after = (one.bridge_rules for one in case.counts)
    grown = {rule: number - before.get(rule, number) for rule, number in after.items()}
    for record, status in case.sessions():
        netdev = status.netdev
        if netdev is None or netdev.bridge is None or netdev.netns != case.spec.netns:
            continue
        ours = {netdev.ifname, netdev.bridge}
        for rule, number in grown.items():
            if number <= 0 or not _is_about(rule, ours):
                continue
            says = f"a rule of the packet filter drops frames in bridge {printable(netdev.bridge)}"
            evidence = (f"{rule}: dropped {number} within {case.listened_s:g} s",)
            remedy = (
                "take the rule out, or let these frames pass before it: `nft -a list ruleset bridge` has its handle"
            )
            yield case.of_session(record.spec.name, "bridge-rule", _harm(rule), says, remedy, evidence)


def _is_about(rule: str, names: set[str]) -> bool:
    """Whether frames of a port or bridge of these names may pass the rule."""
    places = list(_PLACE.finditer(rule.partition(": ")[2]))
    return not places or any(
        one["not"] is not None or names & set(re.findall(r"[^\s{},\"]+", one["name"])) for one in places
    )


def _harm(rule: str) -> Harm:
    matches = _PLACE.sub("", rule.partition(": ")[2]).partition("counter")[0].strip()
    if not matches:
        return Harm.STOPS
    return Harm.LOSES if _MOST_FRAMES.fullmatch(matches) else Harm.NONE


CHECKS: Final[tuple[Check, ...]] = (_dropping,)
