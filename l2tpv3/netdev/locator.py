"""Finds sessions' netdevs again, also after a rename or a move to another network namespace.

An owner tag alone proves nothing: whoever is root in a network namespace, a container's user for instance, may write it
on a netdev there. So it is believed where the record says that the netdev is. In another namespace it is believed only
of a session that its datapath reports, and that has no netdev where it belongs, and only with further evidence.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from l2tpv3.errors import NotFoundError, NotPermittedError
from l2tpv3.linux.netns import netns_names
from l2tpv3.model.spec import SessionSpec, TunnelSpec, home
from l2tpv3.model.status import NetdevState
from l2tpv3.netdev.base import NO_EVIDENCE, Evidence
from l2tpv3.netdev.netdevs import Netdevs

_KINDS: Final = {"user": ("tun",), "ebpf": ("veth",), "kernel": ("", "vlan")}
"""What netdevs of a datapath's sessions are (IFLA_INFO_KIND). l2tp_eth's have none, and only it and NICs have none."""


class NetdevLocator:
    """The Locator protocol over rtnetlink: one dump for each namespace that is looked into.

    few: only few netdevs are looked for; one that has its mark under its own name is found without a dump.
    addresses: False: netdevs that are found in a dump are given without their addresses.
    """

    def __init__(self, *, few: bool = False, addresses: bool = True) -> None:
        self._few = few
        self._addresses = addresses
        self._dumps: dict[str | None, dict[str, list[NetdevState]]] = {}
        self._everywhere: list[str] | None = None

    def find(
        self, tunnel: TunnelSpec, session: SessionSpec, mark: str, evidence: Evidence = NO_EVIDENCE
    ) -> NetdevState | None:
        """See Locator.find."""
        likely = dict.fromkeys((home(tunnel, session), *evidence.homes, tunnel.netns))
        if self._few and (state := _by_name(likely, session.ifname, mark)) is not None and _is_told(state, evidence):
            return state
        first: NetdevState | None = None
        for state in self._marked(likely, mark):
            if _is_told(state, evidence):
                return state
            if first is None and _may_be(state, evidence):
                first = state
        if evidence.alive:
            for state in self._marked(self._named(), mark):
                if _is_proven(state, evidence):
                    return state
        return first if not evidence.others else None

    def with_clamp(self, netdev: NetdevState) -> NetdevState:
        """See Locator.with_clamp. One that goes just now is as it was found."""
        with contextlib.suppress(NotFoundError, NotPermittedError), Netdevs(netdev.netns) as netdevs:
            return dataclasses.replace(netdev, clamp_mtu=netdevs.clamped_to(netdev.ifindex))
        return netdev

    def _marked(self, namespaces: Iterable[str | None], mark: str) -> Iterator[NetdevState]:
        """The netdevs with an owner tag, the newest of each namespace first."""
        for netns in namespaces:
            yield from reversed(self._dump(netns).get(mark, ()))

    def _named(self) -> list[str]:
        if self._everywhere is None:
            self._everywhere = netns_names()
        return self._everywhere

    def named(self, netns: str | None, ifname: str) -> NetdevState | None:
        """A netdev by its name, for those that carry no mark of ours.

        Raises L2tpError where the kernel does not answer.
        """
        return next((one for one in self.at(netns) if one.ifname == ifname), None)

    def at(self, netns: str | None) -> Iterator[NetdevState]:
        """See Locator.at."""
        return itertools.chain.from_iterable(self._dump(netns).values())

    def _dump(self, netns: str | None) -> dict[str, list[NetdevState]]:
        """The netdevs of a namespace by their ifalias, or by their index where they have none."""
        if netns not in self._dumps:
            found: dict[str, list[NetdevState]] = {}
            try:
                with Netdevs(netns) as netdevs:
                    for state in netdevs.all(addresses=self._addresses):
                        found.setdefault(state.alias or f"#{state.ifindex}", []).append(state)
            except (NotFoundError, NotPermittedError):
                pass  # the namespace was deleted, or is not ours to enter: nothing of ours is seen there
            self._dumps[netns] = found
        return self._dumps[netns]


def _may_be(state: NetdevState, evidence: Evidence) -> bool:
    """Whether it may be the session's where it belongs. What has the name that a worker tells is chosen by others."""
    kinds = _KINDS.get(evidence.datapath)
    return evidence.attached != "" and (kinds is None or state.kind in kinds)


def _is_told(state: NetdevState, evidence: Evidence) -> bool:
    """Whether it is the one that the datapath tells; where that tells none, any but those of other sessions."""
    if evidence.attached is not None:
        return _may_be(state, evidence) and state.ifname == evidence.attached
    return _may_be(state, evidence) and state.ifname not in evidence.others


def _is_proven(state: NetdevState, evidence: Evidence) -> bool:
    """Whether it is the session's in a namespace where it does not belong, to which somebody has moved it by hand.

    The session is there, so its netdev is somewhere: it is called as the worker that has it open tells or, where none
    does, has the MAC address that is on record.
    """
    if not _may_be(state, evidence) or evidence.datapath not in _KINDS:
        return False
    if evidence.attached is not None:
        return state.ifname == evidence.attached
    return evidence.mac is not None and state.mac == evidence.mac


def _by_name(namespaces: Iterable[str | None], ifname: str, alias: str) -> NetdevState | None:
    for netns in namespaces:
        with contextlib.suppress(NotFoundError, NotPermittedError), Netdevs(netns) as netdevs:
            state = netdevs.named(ifname)
            if state.alias == alias:
                return state
    return None
