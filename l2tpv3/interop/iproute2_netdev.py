"""What `ip link set` and `ip addr` in a script do to a session's netdev. Grammar: ip-link(8), ip-address(8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from l2tpv3.errors import InvalidValueError
from l2tpv3.interop.draft import Draft, Place, quoted

if TYPE_CHECKING:
    from l2tpv3.interop.iproute2_script import Script

_LINK_WORDS = {"mtu": "mtu", "master": "bridge", "address": "mac"}
_LINK_FLAGS = {"up": True, "down": False}
_HARMLESS_ADDRESS_WORDS = {"brd", "broadcast", "scope", "label", "metric", "proto"}
_HARMLESS_ADDRESS_FLAGS = {"nodad", "noprefixroute", "home", "mngtmpaddr", "autojoin", "optimistic"}


def change_link(script: Script, netns: str | None, ifname: str, words: list[str], place: Place) -> None:
    """`ip link set` of a session's netdev and the words after that, its name among them. Raises InvalidValueError."""
    at = words.index(ifname)
    rest = iter([*words[:at], *words[at + 1 :]])
    session = script.netdevs[netns, ifname]
    session.words.setdefault("ifname", ifname)
    for word in rest:
        if word == "dev":
            continue
        if word in _LINK_FLAGS:
            session.set("up", _LINK_FLAGS[word], place)
        elif word == "nomaster":
            session.set("bridge", None, place)
        elif word in _LINK_WORDS:
            session.set(_LINK_WORDS[word], _value(rest, word), place)
        elif word in ("name", "netns"):
            netns, ifname = _move(script, session, (netns, ifname), word, _value(rest, word), place)
        elif word in ("multicast", "allmulticast", "promisc", "arp", "txqueuelen", "qlen", "alias", "group", "type"):
            _value(rest, word)
            script.complaints.warn(place, f"{quoted(word)} of {ifname} is not imported", "set it by other means")
        else:
            script.complaints.warn(place, f"{quoted(word)} of {ifname} is not imported", "set it by other means")
            return


def _move(
    script: Script, session: Draft, at: tuple[str | None, str], word: str, value: str, place: Place
) -> tuple[str | None, str]:
    """Rename the netdev, or move it to a network namespace, and give where it is from now on."""
    netns, ifname = at
    if word == "netns" and value.isdigit():
        problem = f"netns {value} is a process, whose namespace may be any"
        raise InvalidValueError("ip link set", problem, "give the name of a namespace")
    session.set("ifname" if word == "name" else "netns", value, place)
    del script.netdevs[at]
    now = (netns, value) if word == "name" else (value, ifname)
    script.netdevs[now] = session
    return now


def change_address(script: Script, netns: str | None, words: list[str], place: Place) -> None:
    """`ip addr` and these words, of a session's netdev. Raises InvalidValueError."""
    verb = words[0] if words else "show"
    address, ifname = "", ""
    rest = iter(words[1:])
    for word in rest:
        if word == "dev":
            ifname = _value(rest, word)
        elif word == "local":
            address = _value(rest, word)
        elif word in _HARMLESS_ADDRESS_WORDS:
            _value(rest, word)
        elif word in ("peer", "anycast", "valid_lft", "preferred_lft"):
            raise InvalidValueError("ip addr", f"{word!r} can't be imported", "give ADDRESS/LENGTH dev NETDEV alone")
        elif word not in _HARMLESS_ADDRESS_FLAGS:
            address = word
    session = script.netdevs.get((netns, ifname))
    if session is None or "show".startswith(verb) or verb in ("list", "lst", "save"):
        return
    session.words.setdefault("ifname", ifname)
    present = session.words.get("address", [])
    if verb in ("add", "a", "ad", "replace", "change"):
        session.set("address", [*present, address], place)
    elif verb and ("delete".startswith(verb) or "flush".startswith(verb)):
        left = [one for one in present if one != address] if "delete".startswith(verb) else []
        session.set("address", left, place)
    else:
        raise InvalidValueError("ip addr", f"{verb!r} is unknown", "give add or del")


def _value(rest: Iterator[str], word: str) -> str:
    value = next(rest, None)
    if value is None:
        raise InvalidValueError(f"ip: {word}", "its value is missing", "give it")
    return value
