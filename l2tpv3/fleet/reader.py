"""Reads a fleet's file, and reports everything that is wrong with it at once, with file and line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, TypeVar

from l2tpv3.config.document import Document, read_document
from l2tpv3.config.problem import ConfigError, Problem
from l2tpv3.config.reader import EnoughError, Findings, as_keys
from l2tpv3.config.suggestions import unknown_key
from l2tpv3.errors import InvalidValueError
from l2tpv3.fleet.model import HERE, NATS, Fleet, FleetHost, IPNetwork, Mesh, Settings, Shape, Wire
from l2tpv3.fleet.words import DEFAULTS, HOST, MESH, SESSION_WORDS, SETTINGS, TABLES, TUNNEL_WORDS, WIRE
from l2tpv3.model import ids
from l2tpv3.model.source import Source
from l2tpv3.model.values import TYPES, IPAddress, IPInterface, formatted, parse, parse_address, parse_interface
from l2tpv3.remote.ssh_target import SCHEME, SshTarget

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,29}")
"""A name of a host, a mesh or a wire: two of them and a dot are the name of a tunnel."""
REACH_REMEDY: Final = "give ssh://[USER@]HOST[:PORT], here, or nats"

_One = TypeVar("_One")


def read_fleet(file: Path) -> Fleet:
    """The fleet that a file states. Touches nothing else. Raises ConfigError, with all that is wrong."""
    from l2tpv3.fleet.check import check_fleet

    findings = Findings()
    document = read_document(file)
    if isinstance(document, Problem):
        raise ConfigError([document])
    fleet = None
    with contextlib.suppress(EnoughError):
        fleet = _Reader(document, findings).fleet()
        check_fleet(fleet, findings)
    if fleet is None or findings.problems:
        raise ConfigError(sorted(findings.problems, key=lambda one: one.line))
    return fleet


class _Reader:
    """Reads one document. What is wrong is noted, and left out of what is read."""

    def __init__(self, document: Document, findings: Findings) -> None:
        self._content, self._root, self._findings = document.content, document.root, findings
        self._hosts: dict[str, FleetHost] = {}
        self._defaults = Settings()

    def fleet(self) -> Fleet:
        """What the document states."""
        for key in self._content:
            if key not in TABLES and key != DEFAULTS:
                self._findings.add(self._root.of(key), *unknown_key(key, [DEFAULTS, *TABLES]))
        source = self._root.of(DEFAULTS)
        table = self._table(self._content.get(DEFAULTS, {}), source, "[defaults]")
        self._defaults = self._settings(table, source, own=())
        self._hosts = self._all("host", self._host)
        if not self._content.get("host"):
            remedy = "write [host.NAME]; hosts without meshes and wires have nothing of the fleet"
            self._findings.add(self._root.of("host"), "there are no hosts", remedy)
        meshes = self._all("mesh", self._mesh)
        wires = self._all("wire", self._wire)
        return Fleet(file=self._root.file, hosts=self._hosts, meshes=meshes, wires=wires)

    # -- tables --------------------------------------------------------------------------------------------------

    def _all(self, kind: str, read: Callable[[str, dict[str, Any], Source], _One | None]) -> dict[str, _One]:
        """All tables `[kind.NAME]`, by name."""
        top = self._root.of(kind)
        found = {}
        for name, content in self._table(self._content.get(kind, {}), top, f"[{kind}.NAME]").items():
            source = top.of(name)
            if not NAME.fullmatch(name):
                problem = f"{name[:80]!r} can't be the name of a {kind}"
                remedy = "give letters, digits, _ and -, 30 at most, a letter or digit first"
                self._findings.add(source, problem, remedy)
            elif isinstance(content, dict) and (one := read(name, content, source)) is not None:
                found[name] = one
            elif not isinstance(content, dict):
                self._table(content, source, f"[{kind}.NAME]")
        return found

    def _table(self, value: object, source: Source, heading: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self._findings.add(source, "not a table", f"write the heading {heading}")
        return {}

    def _host(self, name: str, content: dict[str, Any], source: Source) -> FleetHost | None:
        self._check_keys(content, HOST, source)
        reach = self._value(content, "reach", source, _reach)
        addresses = self._value(content, "address", source, _addresses)
        for key in ("reach", "address"):
            if key not in content:
                remedy = REACH_REMEDY if key == "reach" else "give the address by which other hosts reach it"
                self._findings.add(source, f"{key} is missing", remedy)
        labels = self._value(content, "labels", source, _texts) or ()
        datapath = self._settings({key: content[key] for key in ("datapath",) if key in content}, source, own=())
        # A host that something is wrong with is kept all the same: meshes and wires name it.
        return FleetHost(
            name=name,
            reach=reach or NATS,  # which nothing is compared with
            addresses=addresses or (),
            labels=labels,
            datapath=datapath.tunnel.get("datapath"),
            source=source,
        )

    def _mesh(self, name: str, content: dict[str, Any], source: Source) -> Mesh | None:
        settings = _over(self._defaults, self._settings(content, source, own=MESH))
        hosts = self._mesh_hosts(content, source)
        shape = self._value(content, "shape", source, _shape) or Shape.FULL
        hub = self._hub(content, shape, hosts, source)
        bridge = self._value(content, "bridge", source, _ifname)
        split = self._value(content, "split-horizon", source, _boolean)
        if split is False and shape is Shape.FULL:
            problem = "a full mesh without split horizon is a loop"
            self._findings.add(source.of("split-horizon"), problem, 'leave it out, or have shape = "hub"')
        networks = self._value(content, "address", source, _networks) or ()
        ports = self._by_host(content, "ports", hosts, source, _texts)
        for key in ("address", "ports", "split-horizon"):
            if key in content and "bridge" not in content:
                self._findings.add(source.of(key), "needs a bridge", 'give bridge = "NAME" too')
        self._check_room(networks, hosts, source)
        return Mesh(
            name=name,
            hosts=hosts,
            shape=shape,
            hub=hub,
            bridge=bridge,
            split_horizon=(shape is Shape.FULL) if split is None else split,
            networks=networks,
            ports=ports,
            settings=settings,
            source=source,
        )

    def _hub(self, content: dict[str, Any], shape: Shape, hosts: tuple[str, ...], source: Source) -> str | None:
        """The host in the middle of a mesh, where its shape is HUB."""
        hub = self._value(content, "hub", source, _text)
        if (shape is Shape.HUB) != ("hub" in content):
            remedy = 'give both shape = "hub" and hub = "HOST", or neither'
            self._findings.add(source.of("hub"), "a hub is named exactly where the shape is hub", remedy)
            return None
        if hub is not None and hub not in hosts:
            self._findings.add(source.of("hub"), f"{hub[:80]!r} is not a host of this mesh", "name one of its hosts")
            return None
        return hub

    def _check_room(self, networks: Iterable[IPNetwork], hosts: tuple[str, ...], source: Source) -> None:
        for network in networks:
            if len(hosts) > network.num_addresses - (2 if network.version == 4 else 1):
                problem = f"{network} has too few addresses for {len(hosts)} hosts"
                self._findings.add(source.of("address"), problem, "give a larger network")

    def _mesh_hosts(self, content: dict[str, Any], source: Source) -> tuple[str, ...]:
        """The hosts of a mesh that there are."""
        if "label" in content and "hosts" in content:
            self._findings.add(source.of("label"), "hosts are listed besides", "leave one of both out")
        hosts: tuple[str, ...] | None = tuple(self._hosts)
        at = source
        if "hosts" in content:
            hosts, at = self._value(content, "hosts", source, _texts), source.of("hosts")
        elif "label" in content:
            label, at = self._value(content, "label", source, _text), source.of("label")
            hosts = None if label is None else self._labelled(label)
        if hosts is None:
            return ()
        unknown = [name for name in hosts if name not in self._hosts]
        for name in unknown:
            self._findings.add(at, f"there is no host {name[:80]!r}", _which(self._hosts))
        if len(hosts) < 2:
            self._findings.add(at, f"a mesh of {_count(len(hosts))}", "name two hosts at least")
        return tuple(name for name in hosts if name not in unknown)

    def _labelled(self, label: str) -> tuple[str, ...]:
        return tuple(one.name for one in self._hosts.values() if label in one.labels)

    def _wire(self, name: str, content: dict[str, Any], source: Source) -> Wire | None:
        settings = _over(self._defaults, self._settings(content, source, own=WIRE))
        if "ends" not in content:
            self._findings.add(source, "ends is missing", 'give ends = ["HOST", "HOST"]')
        ends = self._value(content, "ends", source, _texts)
        if ends is None:
            return None
        for end in ends:
            if end not in self._hosts:
                self._findings.add(source.of("ends"), f"there is no host {end!r}", _which(self._hosts))
        if len(ends) != 2:
            self._findings.add(source.of("ends"), f"{len(ends)} ends", "name two hosts")
        if len(ends) != 2 or not {*ends} <= {*self._hosts}:
            return None
        addresses = self._by_host(content, "address", ends, source, _interfaces)
        return Wire(
            name=name,
            ends=(ends[0], ends[1]),
            addresses=(addresses.get(ends[0], ()), addresses.get(ends[1], ())),
            settings=settings,
            source=source,
        )

    # -- values --------------------------------------------------------------------------------------------------

    def _check_keys(self, content: Mapping[str, Any], known: Iterable[str], source: Source) -> None:
        known = list(known)
        for key in content:
            if key not in known:
                self._findings.add(source.of(key), *unknown_key(key, known))

    def _settings(self, content: Mapping[str, Any], source: Source, *, own: Iterable[str]) -> Settings:
        """The words of SETTINGS in a table. own: its other keys."""
        self._check_keys(content, [*own, *SETTINGS], source)
        words: dict[str, Any] = {}
        for word in SETTINGS:
            value = self._value(content, word, source, _setting)
            if value is not None:
                words[word] = value
        datapath = SETTINGS["datapath"]
        if words.get("datapath", "auto") not in datapath.choices:
            problem = f"{words.pop('datapath')!r} is unknown"
            self._findings.add(source.of("datapath"), problem, f"give one of {', '.join(datapath.choices)}")
        return Settings(
            tunnel={word: words[word] for word in TUNNEL_WORDS if word in words},
            session={word: words[word] for word in SESSION_WORDS if word in words},
        )

    def _value(
        self, content: Mapping[str, Any], key: str, source: Source, parse_one: Callable[[Any, str], _One]
    ) -> _One | None:
        """What a key says; None where it is not there, or is wrong, which is noted."""
        if key not in content:
            return None
        try:
            return parse_one(content[key], key)
        except InvalidValueError as error:
            self._findings.add(source.of(key), as_keys(error.problem)[:200], as_keys(error.remedy))
            return None

    def _by_host(
        self,
        content: Mapping[str, Any],
        key: str,
        hosts: tuple[str, ...],
        source: Source,
        parse_one: Callable[[Any, str], _One],
    ) -> dict[str, _One]:
        """A table of hosts, each with a value."""
        if key not in content:
            return {}
        here = source.of(key)
        found = {}
        for host, value in self._table(content[key], here, f"[{here.key}]").items():
            if host not in hosts:
                self._findings.add(here.of(host), f"{host[:80]!r} is not among the hosts here", _which(hosts))
                continue
            one = self._value({host: value}, host, here, parse_one)
            if one is not None:
                found[host] = one
        return found


def _over(defaults: Settings, own: Settings) -> Settings:
    return Settings(tunnel={**defaults.tunnel, **own.tunnel}, session={**defaults.session, **own.session})


def _count(hosts: int) -> str:
    return "1 host" if hosts == 1 else f"{hosts} hosts"


def _which(hosts: Iterable[str]) -> str:
    names = list(hosts)
    more = "" if len(names) <= 10 else f" and {len(names) - 10} more"
    return f"hosts are {', '.join(names[:10])}{more}" if names else "write [host.NAME]"


def _setting(value: Any, what: str) -> Any:
    """A word of a tunnel or a session, in the form that files have it in."""
    if isinstance(value, dict | list):
        raise InvalidValueError(what, "not a value", f"write {what} = VALUE")
    field = SETTINGS[what]
    return formatted(field, parse(field, value, what, TYPES), TYPES)


def _reach(value: Any, what: str) -> str:
    reach = _text(value, what)
    if reach in (HERE, NATS):
        return reach
    if not reach.startswith(SCHEME):
        raise InvalidValueError(what, f"{reach!r} can't be reached", REACH_REMEDY)
    SshTarget.parse(reach)
    return reach


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value or not value.isprintable() or len(value) > 1024:
        raise InvalidValueError(what, "not a text of one line", "give it in quotes")
    return value


def _texts(value: Any, what: str) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list):
        raise InvalidValueError(what, "not a list of texts", 'write ["A", "B"]')
    found = tuple(_text(one, what) for one in values)
    if len({*found}) < len(found):
        raise InvalidValueError(what, "names one twice", "name each once")
    return found


def _shape(value: Any, what: str) -> Shape:
    try:
        return Shape(_text(value, what))
    except ValueError:
        raise InvalidValueError(what, f"{value!r} is unknown", f"give one of {', '.join(Shape)}") from None


def _ifname(value: Any, what: str) -> str:
    return ids.parse_ifname(_text(value, what), what)


def _boolean(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidValueError(what, "neither true nor false", "give true or false")
    return value


def _addresses(value: Any, what: str) -> tuple[IPAddress, ...]:
    found = tuple(parse_address(one, what) for one in _texts(value, what))
    for address in found:
        if address.is_multicast or address.is_unspecified or address.is_link_local:
            raise InvalidValueError(what, f"{address} is not an address that other hosts can reach", "give another")
    if not found or len({one.version for one in found}) < len(found):
        raise InvalidValueError(what, f"{len(found)} addresses", "give one IPv4 address, one IPv6 address, or both")
    return found


def _networks(value: Any, what: str) -> tuple[IPNetwork, ...]:
    found = []
    for text in _texts(value, what):
        try:
            network = ip_network(text)
        except ValueError as error:
            raise InvalidValueError(what, f"{text!r} is not a network: {error}", "give one as 10.0.0.0/24") from None
        if network.prefixlen > network.max_prefixlen - 2:
            raise InvalidValueError(what, f"{network} has no addresses for hosts", "give a larger network")
        found.append(network)
    return tuple(found)


def _interfaces(value: Any, what: str) -> tuple[IPInterface, ...]:
    return tuple(parse_interface(one, what) for one in _texts(value, what))
