"""MikroTik RouterOS's `/export`, in: unmanaged l2tp-ether interfaces, the bridges that they are ports of, addresses.

Source: as of export.py; RouterOS manual, "Configuration Management" (the form of an export) and "Bridging and
Switching" (horizon: ports of one number don't forward to each other).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from l2tpv3.formats.bridges import Bridges
from l2tpv3.formats.draft import Draft, Place, Warnings, name_from, quoted
from l2tpv3.formats.lines import logical_lines
from l2tpv3.model.spec import UDP_PORT
from l2tpv3.value_class import value_class

_TUNNEL = {
    "connect-to": "remote",
    "local-address": "local",
    "local-tunnel-id": "id",
    "remote-tunnel-id": "peer-id",
}
_SESSION = {"local-session-id": "id", "remote-session-id": "peer-id", "mtu": "mtu", "mac-address": "mac"}
_COOKIES = {"send-cookie": "tx-cookie", "peer-cookie": "rx-cookie"}
_SPECIAL = {"name", "l2tp-proto-version", "unmanaged-mode", "use-l2-specific-sublayer", "disabled", "comment"}
_NEEDED = ("connect-to", "local-tunnel-id", "remote-tunnel-id", "local-session-id", "remote-session-id")
_DEFAULT_MTU = "1420"


@value_class(frozen=True, slots=True)
class _Item:
    """`add` under a menu. menu: `/interface l2tp-ether`."""

    menu: str
    words: dict[str, str]
    place: Place


def read(texts: list[tuple[Path, str]], complaints: Warnings) -> list[Draft]:
    """The interfaces of the files, each a tunnel with one session, both named for it, and the bridges over them."""
    items = [item for file, text in texts for item in _items(file, text, complaints)]
    items = [item for item in items if item.words.get("disabled") != "yes" or item.menu == "/interface l2tp-ether"]
    tunnels: dict[str, Draft] = {}
    for item in items:
        if item.menu == "/interface l2tp-ether":
            _interface(item, tunnels, complaints)
    sessions: dict[tuple[str | None, str], Draft] = {(None, name): one.sessions[0] for name, one in tunnels.items()}
    bridges = Bridges(complaints)
    _join_bridges(items, bridges, complaints)
    for item in items:
        if item.menu == "/ip address" or item.menu == "/ipv6 address":
            _address(item, sessions, bridges)
    return [*tunnels.values(), *bridges.finished(tunnels.values(), sessions)]


def _items(file: Path, text: str, complaints: Warnings) -> Iterator[_Item]:
    menu = ""
    for place, line in logical_lines(file, text, glue=""):
        try:
            words = shlex.split(line, comments=line.lstrip().startswith("#"))
        except ValueError:
            complaints.add(place, "a quote is not closed", "close it")
            continue
        if words and words[0].startswith("/"):
            end = next((at for at, word in enumerate(words) if word in ("add", "set", "remove")), len(words))
            menu, words = " ".join(words[:end]).replace("/", " ").strip(), words[end:]
            menu = f"/{' '.join(menu.split())}"
        if words[:1] == ["add"]:
            pairs = (word.partition("=") for word in words[1:])
            yield _Item(menu, {key: value for key, equals, value in pairs if equals}, place)


def _interface(item: _Item, tunnels: dict[str, Draft], complaints: Warnings) -> None:
    words, place = item.words, item.place
    ifname = words.get("name", f"l2tp-ether{len(tunnels) + 1}")
    if words.get("unmanaged-mode") != "yes":
        problem = f"{quoted(ifname)} uses the control protocol; only unmanaged-mode=yes can be imported"
        complaints.add(place, problem, "set it there, with ids at both ends, or take the line out")
        return
    taken = {draft.name for draft in tunnels.values()}
    session = Draft(name_from(ifname, taken, "l2tp-ether"), place)
    tunnel = Draft(session.name, place, sessions=[session])
    tunnels[ifname] = tunnel
    tunnel.words |= _outer_words(words)
    sublayer = "default" if words.get("use-l2-specific-sublayer") == "yes" else "none"
    session.words |= {"tx-cookie": b"", "rx-cookie": b"", "sublayer": sublayer, "mtu": _DEFAULT_MTU, "ifname": ifname}
    if words.get("disabled", "yes") == "yes":  # an export leaves out defaults, and a new interface is disabled
        session.set("up", value=False, place=place)
    for key, value in words.items():
        _setting(key, value, place, tunnel, complaints)
    for key in _NEEDED:
        if not words.get(key):
            tunnel.wrong.add(_TUNNEL.get(key, key))
            complaints.add(place, f"{key} of {quoted(ifname)} is missing", "give it")


def _outer_words(words: dict[str, str]) -> dict[str, Any]:
    """What RouterOS has fixed, or as a default, of the packets on the underlay."""
    if words.get("l2tp-proto-version") == "l2tpv3-ip":
        return {"encap": "ip"}
    checksum = "on" if ":" in words.get("connect-to", "") else "off"
    return {"encap": "udp", "local-port": UDP_PORT, "remote-port": UDP_PORT, "udp-checksum": checksum}


def _setting(key: str, value: str, place: Place, tunnel: Draft, complaints: Warnings) -> None:
    """Give a tunnel and its session one setting of the interface."""
    (session,) = tunnel.sessions
    ifname = session.words["ifname"]
    if key in _TUNNEL and value:
        tunnel.set(_TUNNEL[key], value, place)
    elif key in _SESSION and value != "auto":
        session.set(_SESSION[key], value, place)
    elif key in _COOKIES and value:
        session.set(_COOKIES[key], value, place)
    elif key == "use-ipsec":
        if value != "no":
            problem = f"{ifname} is protected by IPsec, which can't be imported"
            complaints.add(place, problem, "take use-ipsec out, and protect it by other means before packets pass")
    elif key not in (*_SPECIAL, *_TUNNEL, *_SESSION, *_COOKIES):
        complaints.warn(place, f"{quoted(key)} of {ifname} is not imported", "set it by other means")


def _join_bridges(items: list[_Item], bridges: Bridges, complaints: Warnings) -> None:
    horizons: dict[str, set[str]] = {}
    for item in items:
        if item.menu == "/interface bridge" and "name" in item.words:
            draft = bridges.add(None, item.words["name"], item.place).draft
            if item.words.get("protocol-mode", "rstp") != "none":
                draft.set("stp", "on", item.place)
            if item.words.get("vlan-filtering") == "yes":
                problem = "vlan-filtering=yes can't be imported"
                complaints.add(
                    item.place, problem, "take it out, and give the link `vlan-filtering` and `vlan` afterwards"
                )
    for item in items:
        bridge, ifname = item.words.get("bridge", ""), item.words.get("interface", "")
        if item.menu != "/interface bridge port" or bridges.get(None, bridge) is None or not ifname:
            continue
        bridges.join(None, ifname, bridge, item.place)
        horizon = item.words.get("horizon", "none")
        if horizon != "none":
            horizons.setdefault(bridge, set()).add(horizon)
            bridges.port(None, ifname, item.place).isolated = item.place
            if len(horizons[bridge]) > 1:
                problem = f"the ports of {bridge} have several horizons; a link has one group of isolated members"
                complaints.add(item.place, problem, "give them one number")


def _address(item: _Item, sessions: dict[tuple[str | None, str], Draft], bridges: Bridges) -> None:
    ifname, address = item.words.get("interface", ""), item.words.get("address", "")
    bridge = bridges.get(None, ifname)
    draft = bridge.draft if bridge is not None else sessions.get((None, ifname))
    if draft is not None and address:
        whole = address if "/" in address else f"{address}/{128 if ':' in address else 32}"
        draft.set("address", [*draft.words.get("address", []), whole], item.place)
