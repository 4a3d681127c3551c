"""Plans links: from links on record, wanted and observed to steps in order. Pure functions, no I/O.

What lies on a netdev that is made anew goes with it (the kernel removes it), or loses it as a member: both are part of
the plan. Steps come in two lots: what goes, and what does not wait for a session's netdev, comes before the tunnels'
own steps, for a session may be about to join a bridge; the rest comes after them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from dataclasses import field

from l2tpv3.errors import MissingError
from l2tpv3.links.kinds.bridge import stp_runs
from l2tpv3.model.fields import link_fields
from l2tpv3.model.links.observed import LinksSeen, LinkState, MemberState
from l2tpv3.model.links.options import BondOptions, BridgeOptions
from l2tpv3.model.links.order import in_order
from l2tpv3.model.links.record import LinkRecord, Links, below, specs_of
from l2tpv3.model.links.spec import Below, LinkSpec
from l2tpv3.model.record import Records
from l2tpv3.model.status import NetdevState
from l2tpv3.plan.link_steps import AddLink, DelLink, LinkStep, SetLink
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class LinkChange:
    """Everything that `plan_links` looks at.

    old: what is on record. maybe: what a killed change was making. wanted: what shall be. seen: what is there. tunnels:
    as wanted; tunnels_old: as they were. renewed: sessions whose netdev the tunnels' own steps make, remove or make
    anew. late: those whose netdev gets its name or its place by them. scope: the links that the change is about, None
    for all.
    """

    old: Links
    wanted: Links
    seen: LinksSeen
    tunnels: Records
    tunnels_old: Records = field(default_factory=dict)
    maybe: Links = field(default_factory=dict)
    renewed: frozenset[tuple[str, str]] = frozenset()
    late: frozenset[tuple[str, str]] = frozenset()
    scope: frozenset[str] | None = None


def plan_links(change: LinkChange) -> tuple[tuple[LinkStep, ...], tuple[LinkStep, ...]]:
    """The steps to take before those of tunnels and sessions, and those to take after them; ((), ()) when nothing is to
    do.

    Raises InvalidValueError for links that are over one another in a circle.
    """
    return _Plan(change).steps()


class _Plan:
    def __init__(self, change: LinkChange) -> None:
        self.change = change
        self.order = in_order(specs_of(change.wanted))
        self.seen = change.seen.present
        self.renewed = {f"{tunnel}/{session}" for tunnel, session in change.renewed}
        self.late = self.renewed | {f"{tunnel}/{session}" for tunnel, session in change.late}
        self.gone: dict[str, str] = {}
        for name, why in self._going():
            self.gone[name] = why

    def _covers(self, name: str) -> bool:
        return self.change.scope is None or name in self.change.scope

    def _going(self) -> Iterator[tuple[str, str]]:
        """The links that exist and have to be removed, and why."""
        change = self.change
        for name in {**change.old, **change.maybe}:
            if name in self.seen and name not in change.wanted and self._covers(name):
                yield name, ""
        for name in self.order:
            if name in self.seen and self._covers(name) and (why := self._why_anew(name)):
                self.renewed.add(name)
                yield name, why

    def _why_anew(self, name: str) -> str:
        """Why a link that is there has to be made anew; empty when it can stay."""
        wanted = self.change.wanted[name]
        spec = wanted.resolved
        for old in self._beliefs(name):
            if changed := _fixed_words(old, wanted):
                return f"{', '.join(changed)} can't change in place"
        if wrong := _wrong_fixed_words(spec, self.seen[name].words):
            return f"{', '.join(wrong)} is not as wanted"
        beneath = [one for one in spec.over if one in self.renewed]
        if beneath and not spec.options.loose:
            return f"{beneath[0]} is made anew"
        return ""

    def _what_it_may_be(self, name: str) -> list[LinkRecord]:
        """One record; two, where a killed change was making another type of it. What a process carries goes first: it
        has to be told so before its netdev is gone."""
        by_type = {record.spec.type: record for record in self._beliefs(name)}
        return sorted(by_type.values(), key=lambda record: not record.spec.options.relayed)

    def _beliefs(self, name: str) -> list[LinkRecord]:
        return [links[name] for links in (self.change.old, self.change.maybe) if name in links]

    def steps(self) -> tuple[tuple[LinkStep, ...], tuple[LinkStep, ...]]:
        change = self.change
        before: list[LinkStep] = [
            DelLink(link=record, why=why)
            for name, why in self._from_the_top(self.gone)
            for record in self._what_it_may_be(name)
        ]
        after: list[LinkStep] = []
        for name in self.order:
            if not self._covers(name):
                continue
            waits = self._waits(name)
            if name not in self.seen or name in self.gone:
                early, late = self._make(name, waits=waits)
                before += early
                after += late
            elif words := self._differing(name):
                (after if waits else before).append(self._set(change.wanted[name], words, ""))
        return tuple(before), tuple(after)

    def _make(self, name: str, *, waits: bool) -> tuple[list[LinkStep], list[LinkStep]]:
        """The steps that make a link, before those of tunnels and after them."""
        wanted = self.change.wanted[name]
        why = self.gone.get(name) or ("it is not there" if name in self.change.old else "")
        step = AddLink(link=wanted, why=why, below=self._below(wanted))
        if not waits:
            return [step], []
        # A bridge is there before the session that joins it, even when it is over that session itself.
        if wanted.spec.options.loose and not wanted.spec.options.least_over:
            return [step], [self._set(wanted, ("over",), "its members are made")]
        return [], [step]

    def _from_the_top(self, names: Collection[str]) -> Iterator[tuple[str, str]]:
        """The links in the order of removal: the one on top first."""
        known = {**self.change.maybe, **self.change.old}
        for name in reversed(in_order(specs_of(known))):
            if name in names:
                yield name, self.gone[name]

    def _set(self, wanted: LinkRecord, words: tuple[str, ...], why: str) -> SetLink:
        """The step that sets a link, from whatever it may be: a killed change may have come any far."""
        beliefs = self._beliefs(wanted.spec.name) or [wanted]
        addresses = tuple(dict.fromkeys(address for old in beliefs for address in old.spec.addresses))
        mtu = next((old.spec.mtu for old in beliefs if old.spec.mtu is not None), None)
        spec = dataclasses.replace(beliefs[-1].spec, addresses=addresses, mtu=mtu)
        old = dataclasses.replace(beliefs[-1], spec=spec)
        before = {one: ifname for belief in beliefs for one, ifname in self._below_before(belief).items()}
        return SetLink(link=wanted, old=old, words=words, why=why, below={**before, **self._below(wanted)})

    def _below(self, wanted: LinkRecord) -> Below:
        return below(wanted.spec, self.change.tunnels, self.change.wanted)

    def _below_before(self, old: LinkRecord) -> Below:
        links = {**self.change.wanted, **self.change.maybe, **self.change.old}
        try:
            return below(old.spec, self.change.tunnels_old, links)
        except MissingError:  # what it was over was never there: a change was killed before that
            return {}

    def _waits(self, name: str) -> bool:
        """Whether it has to wait for a session's netdev, itself or what it is over."""
        over = self.change.wanted[name].spec.over
        return any(one in self.late for one in over) or any(
            one in self.change.wanted and self._waits(one) for one in over
        )

    def _differing(self, name: str) -> tuple[str, ...]:
        """The words in which a link that can stay differs from what is wanted."""
        wanted, seen = self.change.wanted[name], self.seen[name]
        spec = wanted.spec
        words: list[str] = []
        if spec.options.loose and self._has_other_members(wanted, seen):
            words.append("over")
        words += _wrong_members(spec, self._below(wanted), seen.members)
        if not spec.options.own_netdev and self._lacks_a_nic(wanted, seen):
            words.append("over")
        words += [word for word, value in seen.words.items() if value is not None and _wrong(wanted, word, value)]
        for old in self._beliefs(name):
            words += old.spec.options.changed_words(spec.options)
        if seen.netdev is not None:
            words += self._wrong_of_netdev(wanted, seen.netdev, seen.mtus.values())
        said = spec.to_words()
        return tuple(word for word in dict.fromkeys(words) if word in said)

    def _has_other_members(self, wanted: LinkRecord, seen: LinkState) -> bool:
        """Whether a member is missing, has been made anew, or is one no more.

        What somebody else, or a session by its own `bridge`, has put there is left alone.
        """
        spec = wanted.spec
        lacking = self.change.seen.lacking.get(spec.name, frozenset())
        below_now = {*self._below(wanted).values()} - lacking  # a NIC that is not there can't join
        before = {ifname for old in self._beliefs(spec.name) for ifname in self._below_before(old).values()}
        moved = not below_now <= {*seen.over} or not (before & {*seen.over}) <= below_now
        return moved or any(one in self.renewed for one in spec.over)

    def _lacks_a_nic(self, wanted: LinkRecord, seen: LinkState) -> bool:
        """Whether a NIC is not wired to the other end: one that went and came is another one."""
        lacking = self.change.seen.lacking.get(wanted.spec.name, frozenset())
        nics = {ifname for one, ifname in self._below(wanted).items() if "/" not in one}
        return not nics - lacking <= {*seen.over}

    def _wrong_of_netdev(self, wanted: LinkRecord, netdev: NetdevState, beneath: Collection[int]) -> Iterator[str]:
        """The words in which a link's netdev is not as wanted. beneath: the MTUs of the netdevs that it is over."""
        spec = wanted.spec
        if netdev.ifname != spec.ifname:
            yield "ifname"
        if self._is_other_mtu(wanted, netdev.mtu, beneath):
            yield "mtu"
        if wanted.mac is not None and netdev.mac != wanted.mac:
            yield "mac"
        if netdev.up != spec.up:
            yield "up"
        ours = {address for old in self._beliefs(spec.name) for address in old.spec.addresses} | {*spec.addresses}
        if {*netdev.addresses} & ours != {*spec.addresses}:
            yield "address"

    def _is_other_mtu(self, wanted: LinkRecord, mtu: int, beneath: Collection[int]) -> bool:
        """`auto` is given once, when it is made or set; after that the kernel sees to it, but for cards of ours."""
        spec = wanted.spec
        if spec.mtu is not None:
            return mtu != spec.mtu
        if spec.options.relayed and beneath:
            return mtu != min(beneath)
        return any(old.spec.mtu is not None for old in self._beliefs(spec.name))


def _wrong_members(spec: LinkSpec, below: Below, members: Mapping[str, MemberState]) -> Iterator[str]:
    """The words that a member is not as is wanted of it in: it joins first, and whoever does that may be killed."""
    for name, ifname in below.items():
        seen, options = members.get(ifname), spec.options
        if seen is None:
            continue
        if isinstance(options, BridgeOptions):
            if seen.isolated != (name in options.isolated):
                yield "isolated"
            if seen.vlans is not None and options.vlan_filtering and seen.vlans != options.vlans_of(name).numbers:
                yield "vlan"
        if isinstance(options, BondOptions) and name == options.primary and not seen.primary:
            yield "primary"


def _wrong(wanted: LinkRecord, word: str, value: object) -> bool:
    """Whether the kernel tells something else than is wanted of a word that changes in place."""
    spec = wanted.resolved
    if not _in_place(spec, word):
        return False
    if word == "stp":
        return isinstance(spec.options, BridgeOptions) and (value == "on") != stp_runs(spec, spec.options)
    return bool(spec.to_words()[word] != value)


def _fixed_words(old: LinkRecord, wanted: LinkRecord) -> list[str]:
    """The words that differ and can't change in place."""
    spec = wanted.resolved
    if old.spec.type is not spec.type:
        return ["type"]
    over = ["over"] if not spec.options.loose and old.spec.over != spec.over else []
    places = [word for word in ("over-netns", "netns") if _place(old, word) != _place(wanted, word)]
    words = [word for word in old.spec.options.changed_words(spec.options) if not _in_place(spec, word)]
    return [*over, *places, *words]


def _wrong_fixed_words(spec: LinkSpec, seen: Mapping[str, object]) -> list[str]:
    """The words that can't change in place of which the kernel tells something else than is wanted."""
    told = {word: value for word, value in seen.items() if value is not None and not _in_place(spec, word)}
    wanted = spec.to_words() if told else {}
    return [word for word, value in told.items() if value != wanted[word]]


def _in_place(spec: LinkSpec, word: str) -> bool:
    return bool(link_fields(spec.type)[word].in_place)


def _place(record: LinkRecord, word: str) -> str | None:
    return record.over_netns if word == "over-netns" else record.resolved.home
