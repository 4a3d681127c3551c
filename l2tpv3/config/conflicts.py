"""Conflicts between the files that are loaded together: a name, id, netdev or pair of ends that is stated twice."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterable

from l2tpv3.config.link_reader import ReadLink
from l2tpv3.config.reader import EnoughError, Findings, ReadTunnel
from l2tpv3.model.links.options import LinkType
from l2tpv3.model.links.order import CircleError, in_order
from l2tpv3.model.source import Source
from l2tpv3.model.spec import SessionSpec
from l2tpv3.resolve.conflict_keys import Identities, Key, ends_key, netdev_key, session_id_keys, tunnel_id_key


def find_clashes(tunnels: Iterable[ReadTunnel], links: Iterable[ReadLink], findings: Findings) -> None:
    """Note each conflict at the later of the two, with the place of the earlier one.

    The rules are those of l2tpv3/resolve/conflict_keys.py.
    """
    clashes = _Clashes(findings)
    links = list(links)
    with contextlib.suppress(EnoughError):
        for tunnel in tunnels:
            clashes.tunnel(tunnel)
        for link in links:
            clashes.link(link)
        _find_circle(links, findings)


def _find_circle(links: Iterable[ReadLink], findings: Findings) -> None:
    """Links that are over one another, as far as files tell."""
    specs = {link.spec.name: link for link in links}
    try:
        in_order({name: link.spec for name, link in specs.items()})
    except CircleError as error:
        source = specs[error.link].wanted.source
        assert source is not None
        findings.add(source.of(error.field), error.problem, error.remedy)


class _Clashes:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._first: dict[Key, Source] = {}
        self._netns = Identities()
        self._homes: dict[str, Hashable] = {}  # of sessions and links, as links are over them

    def _claim(self, key: Key, source: Source, problem: str, remedy: str) -> None:
        """`source` has `key` to itself, or it is a problem."""
        first = self._first.setdefault(key, source)
        if first is not source:
            self._findings.add(source, f"{problem} {_whose(first)}", remedy)

    def tunnel(self, tunnel: ReadTunnel) -> None:
        """Compare a tunnel and its sessions with all before it."""
        wanted, spec, source = tunnel.wanted, tunnel.spec, tunnel.wanted.source
        assert source is not None
        first = self._first.setdefault(("name", wanted.name), source)
        if first is not source:
            # Its ids and ports are likely the same as well: one problem is enough.
            self._findings.add(source, f"defined already at {first}", "keep one of them, or give it another name")
            return
        netns = self._netns[spec.netns]
        if "id" in wanted.words:
            key = tunnel_id_key(netns, spec.tunnel_id)
            self._claim(key, source.of("id"), f"{spec.tunnel_id} is also the id of", "give another one")
        ends = ends_key(netns, spec.local, spec)
        if ends is not None and {"remote", "local-port"} <= wanted.words.keys():  # else free ones are chosen
            remedy = "give other ports, or add the sessions to that tunnel"
            self._claim(ends, source, "the same addresses and ports as", remedy)
        for session, session_spec in tunnel.sessions:
            assert session.source is not None
            where = netns if session_spec.netns is None else self._netns[session_spec.netns]
            self._homes[f"{wanted.name}/{session.name}"] = where
            if "id" in session.words:
                self._session_id(tunnel, session_spec, session.source.of("id"), netns)
            self._netdevs(session_spec, session.source, where, named="ifname" in session.words)

    def link(self, link: ReadLink) -> None:
        """Compare a link with all tunnels and with the links before it."""
        spec, source = link.spec, link.wanted.source
        assert source is not None
        first = self._first.setdefault(("link", spec.name), source)
        if first is not source:
            self._findings.add(source, f"defined already at {first}", "keep one of them, or give it another name")
            return
        over = next((self._homes[one] for one in spec.over if one in self._homes), None)
        beneath = self._netns[spec.over_netns] if spec.over_netns is not None or over is None else over
        where = self._homes[spec.name] = beneath if spec.netns is None else self._netns[spec.netns]
        named = source.of("ifname") if "ifname" in link.wanted.words else source
        if spec.ifname:
            self._claim(
                ("link netdev", where, spec.ifname), named, f"{spec.ifname} is also the netdev of", "rename one"
            )
            self._differ(netdev_key(where, spec.ifname), named, f"{spec.ifname} is the netdev of")
            if spec.type not in (LinkType.BRIDGE, LinkType.ALIAS):
                self._differ(("bridge", where, spec.ifname), named, f"{spec.ifname} is the bridge of")
        for one in spec.over if spec.options.exclusive else ():
            problem = f"{one} is also what is beneath"
            remedy = "take it from one of them: it can be a member of one only"
            self._claim(("over", beneath, one), source.of("over"), problem, remedy)

    def _netdevs(self, session: SessionSpec, source: Source, where: Hashable, *, named: bool) -> None:
        """A netdev's name is its own in its network namespace; a bridge's too, which sessions may share."""
        if named:
            key = netdev_key(where, session.ifname)
            self._claim(key, source.of("ifname"), f"{session.ifname} is also the netdev of", "rename one")
            self._differ(("bridge", where, session.ifname), source.of("ifname"), f"{session.ifname} is the bridge of")
        if session.bridge is not None:
            self._first.setdefault(("bridge", where, session.bridge), source.of("bridge"))
            self._differ(netdev_key(where, session.bridge), source.of("bridge"), f"{session.bridge} is the netdev of")

    def _differ(self, key: Key, source: Source, problem: str) -> None:
        """Report a problem where something else has `key`."""
        first = self._first.get(key)
        if first is not None:
            self._findings.add(source, f"{problem} {_whose(first)}", "rename one")

    def _session_id(self, tunnel: ReadTunnel, session: SessionSpec, source: Source, netns: Hashable) -> None:
        number = session.session_id
        takes, rivals = session_id_keys(netns, tunnel.wanted.name, tunnel.spec.encap, number)
        first = next((self._first[key] for key in rivals if key in self._first), None)
        if first is not None:
            self._findings.add(source, f"{number} is also the id of {_whose(first)}", "give another one")
        for key in takes:
            self._first.setdefault(key, source)


def _whose(source: Source) -> str:
    """The tunnel or session that `source` is, or is a word of, and where: `tunnel.a.session.b (FILE:7)`."""
    owner = source if len(source.path) % 2 == 0 else source.table
    return f"{owner.key} ({source})"
