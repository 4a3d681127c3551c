"""Resolves the words of a link to its record: chooses what the user left open, and refuses conflicts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from l2tpv3.errors import ConflictError, InvalidValueError
from l2tpv3.linux.netns import same_netns
from l2tpv3.model.links.options import LinkType, PortCarrier, PortOptions
from l2tpv3.model.links.order import in_order
from l2tpv3.model.links.record import LinkRecord, Links, below, place_of, specs_of
from l2tpv3.model.links.spec import LinkSpec, derived_mac
from l2tpv3.model.record import Records
from l2tpv3.model.spec import home

_MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id", "/proc/sys/kernel/hostname")


def resolve_link(
    name: str,
    words: Mapping[str, Any],
    old: LinkRecord | None,
    tunnels: Records,
    links: Links,
    host_id: str,
) -> LinkRecord:
    """The record of a link with these words; None resets one. Raises InvalidValueError.

    old: as it is on record, or was about to be; its MAC address is kept. host_id: what tells this record from all
    others (store.database.Recorded). A MAC address is made of that and of the machine's id: two network namespaces of
    one machine have the same machine's id, and a machine that was copied with its record has the same record.
    """
    spec = LinkSpec.from_words({**{word: value for word, value in words.items() if value is not None}, "name": name})
    kept = old.mac if old is not None and old.spec.mac is None and old.spec.type is spec.type else None
    mac = spec.mac or (kept or derived_mac(f"{machine_id()} {host_id}", name) if spec.options.own_mac else None)
    boot = old.boot if old is not None else None
    return LinkRecord(spec=spec, mac=mac, over_netns=place_of(spec, tunnels, links), boot=boot)


def machine_id() -> str:
    """The id of this machine (machine-id(5)), or its host name where it has none."""
    for path in _MACHINE_IDS:
        try:
            if text := Path(path).read_text("utf-8", "replace").strip():
                return text
        except OSError:
            continue
    return "localhost"


def check_links(tunnels: Records, links: Links, changed: Collection[str]) -> None:
    """Check that the links of these names have no conflict with anything on record.

    Raises ConflictError (a netdev that two want, a name given twice), InvalidValueError (a circle, another namespace),
    MissingError (a session that is not on record).
    """
    in_order(specs_of(links))
    users = dict(_exclusive(tunnels, links))
    for name in changed:
        record = links[name]
        spec, subject = record.spec, f"link {name}"
        for one, ifname in below(spec, tunnels, links).items():
            _check_place(record, one, tunnels, links)
            user = users.get((ifname, name))
            if user is not None and spec.options.exclusive:
                problem = f"{one} is what {user} is over already"
                raise ConflictError(f"{subject}: --over", problem, f"take it from {user} first")
        _check_home(record)
        _check_name(record, tunnels, links)
        _check_carrier(record, tunnels)


def _exclusive(tunnels: Records, links: Links) -> Iterator[tuple[tuple[str, str], str]]:
    """Checks that no other link has a netdev for itself: (netdev, link that asks) → the other link that uses the
    netdev.
    """
    for name, record in links.items():
        for ifname in below(record.spec, tunnels, links).values():
            for other in links:
                if other != name and record.spec.type not in (LinkType.VLAN, LinkType.VNIC):
                    yield (ifname, other), f"link {name}"
    for tunnel in tunnels.values():
        for session in tunnel.sessions:
            if session.spec.bridge is not None:
                for other, record in links.items():
                    if record.spec.ifname != session.spec.bridge:
                        yield (session.spec.ifname, other), f"bridge {session.spec.bridge}"


def _wrong(spec: LinkSpec, word: str, problem: str, remedy: str) -> InvalidValueError:
    return InvalidValueError(f"link {spec.name}: --{word}", problem, remedy, field=word)


def _check_place(record: LinkRecord, one: str, tunnels: Records, links: Links) -> None:
    """Check that a session or link beneath is in the same network namespace as the others."""
    tunnel, slash, session = one.partition("/")
    where = record.over_netns
    if slash:
        there = tunnels[tunnel].session(session)
        assert there is not None  # below() has found it
        where = home(tunnels[tunnel].spec, there.spec)
    elif one in links:
        if not links[one].spec.options.own_netdev:
            raise _wrong(record.spec, "over", f"{one} is a port, which has no netdev", "")
        where = links[one].resolved.home
    if not same_netns(where, record.over_netns):
        problem = f"{one} is in {where or 'the namespace of the caller'}, not in {record.over_netns or 'the same'}"
        raise _wrong(record.spec, "over", problem, "have all of it in one namespace")


def _check_home(record: LinkRecord) -> None:
    spec = record.resolved
    if spec.options.exclusive and not same_netns(spec.home, spec.over_netns):
        problem = f"{spec.type.with_article} is where its members are"
        raise _wrong(spec, "netns", problem, "leave it out, or give --over-netns")


def _check_carrier(record: LinkRecord, tunnels: Records) -> None:
    """Check that a port can follow its far end, for which its session needs a worker of ours."""
    options = record.spec.options
    if not isinstance(options, PortOptions) or options.carrier is not PortCarrier.FOLLOW:
        return
    what = f"link {record.spec.name}: --carrier"
    sessions = [one for one in record.spec.over if "/" in one]
    if len(sessions) != 1:
        raise InvalidValueError(what, "there is no one far end to follow", "be over a NIC and a session, or say alone")
    tunnel = sessions[0].partition("/")[0]
    datapath = tunnels[tunnel].datapath
    if datapath in ("kernel", "ebpf"):
        whose = "the kernel's" if datapath == "kernel" else "of the ebpf datapath"
        problem = f"tunnel {tunnel} is {whose}, which tells its far end nothing and hears nothing of it"
        remedy = f"`l2tpctl tunnel set {tunnel} --datapath user` (which interrupts it), or --carrier alone"
        raise InvalidValueError(what, problem, remedy)


def _check_name(record: LinkRecord, tunnels: Records, links: Links) -> None:
    spec = record.resolved
    if not spec.ifname:
        return
    for name, other in links.items():
        if name != spec.name and other.spec.ifname == spec.ifname and same_netns(other.resolved.home, spec.home):
            problem = f"{spec.ifname} is the netdev of link {name}"
            raise ConflictError(f"link {spec.name}: --ifname", problem, "give another one")
    for tunnel in tunnels.values():
        for session in tunnel.sessions:
            if session.spec.ifname == spec.ifname and same_netns(home(tunnel.spec, session.spec), spec.home):
                problem = f"{spec.ifname} is the netdev of session {tunnel.spec.name}/{session.spec.name}"
                raise ConflictError(f"link {spec.name}: --ifname", problem, "give another one")
