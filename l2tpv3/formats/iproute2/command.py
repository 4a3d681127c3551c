"""The grammar and the output of `ip l2tp` (iproute2 6.1, ip/ipl2tp.c), over a Host.

Kept from ip: its words, defaults and abbreviations, what it prints. Not kept, on purpose: `show` with ids shows only
those (the kernel ignores ip's filter); ids of 0 and cookies of other lengths are refused; errors are one line, exit
codes are l2tpctl's.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any

from l2tpv3.documents.tunnel import sequencing
from l2tpv3.errors import InvalidValueError, L2tpError, NotFoundError
from l2tpv3.model.ids import parse_cookie, parse_ifname
from l2tpv3.model.spec import Encap, Sequencing, Sublayer
from l2tpv3.model.status import Condition, SessionStatus, TunnelStatus
from l2tpv3.model.values import not_an_address
from l2tpv3.value_class import value_class

if TYPE_CHECKING:
    from l2tpv3.host.base import Host

USAGE = """\
Usage: l2tpctl ip-l2tp add tunnel
          remote ADDR local ADDR
          tunnel_id ID peer_tunnel_id ID
          [ encap { ip | udp } ]
          [ udp_sport PORT ] [ udp_dport PORT ]
          [ udp_csum { on | off } ]
          [ udp6_csum_tx { on | off } ]
          [ udp6_csum_rx { on | off } ]
       l2tpctl ip-l2tp add session [ name NAME ]
          tunnel_id ID
          session_id ID peer_session_id ID
          [ cookie HEXSTR ] [ peer_cookie HEXSTR ]
          [ seq { none | send | recv | both } ]
          [ l2spec_type { none | default } ]
       l2tpctl ip-l2tp del tunnel tunnel_id ID
       l2tpctl ip-l2tp del session tunnel_id ID session_id ID
       l2tpctl ip-l2tp show tunnel [ tunnel_id ID ]
       l2tpctl ip-l2tp show session [ tunnel_id ID ] [ session_id ID ]
"""


@value_class(frozen=True, slots=True)
class Request:
    """A parsed command line of `ip l2tp`.

    verb: add, del, show or help. given: ip's words (the long ones) with their values parsed.
    """

    verb: str
    tunnel: bool
    session: bool
    given: dict[str, Any]
    notes: tuple[str, ...] = ()


@value_class(frozen=True, slots=True)
class Done:
    """output: for stdout. notes: lines for stderr."""

    output: str = ""
    notes: tuple[str, ...] = ()


def perform(manager: Host, request: Request, *, datapath: str = "auto", netns: str | None = None) -> Done:
    """Do what `ip l2tp` would (not `help`), to the tunnels of network namespace `netns` (None: the caller's).

    datapath: for tunnels that are added. Raises L2tpError.
    """
    act: dict[str, Callable[[], str]] = {
        "add": lambda: _add(manager, request, datapath, netns),
        "del": lambda: _delete(manager, request, netns),
        "show": lambda: _show(manager, request, netns),
    }
    return Done(act[request.verb](), request.notes)


# -- words in ----------------------------------------------------------------------------------------------------


def parse(words: list[str]) -> Request:
    """Parse the words after `ip l2tp`. Raises InvalidValueError."""
    if not words:
        raise InvalidValueError("ip-l2tp", "a command is missing", "`l2tpctl ip-l2tp help` lists them")
    verb = _verb(words[0])
    if verb == "help" or not words[1:]:
        return Request("help", tunnel=False, session=False, given={})
    given: dict[str, Any] = {}
    objects: set[str] = set()
    notes: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if word in ("tunnel", "session"):
            objects.add(word)
        elif word and "help".startswith(word):
            return Request("help", tunnel=False, session=False, given={})
        elif word in ("offset", "peer_offset"):
            _value(rest, word)
            notes.append(f'Ignoring option "{word}"')  # ip's own words
        else:
            name = _ALIASES.get(word, word)
            if name not in _VALUES:
                raise InvalidValueError("ip-l2tp", f"{word!r} is unknown", _remedy_for_unknown(word))
            given[name] = _VALUES[name](_value(rest, word), f"ip-l2tp: {word}")
    if not objects:
        raise InvalidValueError(f"ip-l2tp {verb}", "neither tunnel nor session is said", "say which")
    request = Request(verb, "tunnel" in objects, "session" in objects, given, tuple(notes))
    _check_complete(request)
    return request


def _remedy_for_unknown(word: str) -> str:
    """The remedy for an unknown word: the nearest known one, where there is one."""
    close = get_close_matches(word, [*_VALUES, "tunnel", "session"], n=1)
    return f"did you mean {close[0]}?" if close else "`l2tpctl ip-l2tp help` lists the words"


def take_options(words: list[str]) -> tuple[str | None, list[str]]:
    """Take ip's own options off the words before the verb: gives the namespace that they name, and the other words.

    Those that only say how `ip` prints are passed over. Raises InvalidValueError for one that is not ip's.
    """
    netns: str | None = None
    while words and words[0].startswith("-"):
        option, words = words[0], words[1:]
        if option in ("-n", "-net", "-netns"):
            if not words:
                raise InvalidValueError(f"ip-l2tp: {option}", "its value is missing", "give a network namespace's name")
            netns, words = words[0], words[1:]
        elif option not in _IP_OPTIONS:
            remedy = "of ip's own options only -n NETNS and those of its output are taken"
            raise InvalidValueError("ip-l2tp", f"option {option!r} is unknown", remedy)
    return netns, words


_IP_OPTIONS = {
    *("-4", "-6", "-0", "-d", "-details", "-s", "-stats", "-statistics", "-o", "-oneline", "-r", "-resolve"),
    *("-h", "-human", "-human-readable", "-t", "-timestamp", "-c", "-color", "-br", "-brief", "-N", "-Numeric"),
}


def _verb(text: str) -> str:
    # ip takes the first of these that the text begins, in this order (ip/ipl2tp.c do_ipl2tp).
    for whole, verb in (("help", "help"), ("add", "add"), ("delete", "del"), ("show", "show"), ("lst", "show"),
                        ("list", "show")):  # fmt: skip
        if text and whole.startswith(text):
            return verb
    raise InvalidValueError("ip-l2tp", f"command {text!r} is unknown", "`l2tpctl ip-l2tp help` lists them")


def _value(rest: Iterator[str], word: str) -> str:
    value = next(rest, None)
    if value is None:
        raise InvalidValueError(f"ip-l2tp: {word}", "its value is missing", "`l2tpctl ip-l2tp help` shows how")
    return value


def _check_complete(request: Request) -> None:
    """Check that the words that ip requires are given. Like ip, it takes 0 as not given."""
    needed = ["tunnel_id"] if request.verb == "add" or (request.verb == "del" and request.tunnel) else []
    if request.session and request.verb == "add":
        needed += ["peer_session_id", "session_id"]
    if request.session and request.verb == "del":
        needed += ["tunnel_id", "session_id"]
    if request.tunnel and request.verb == "add":
        needed += ["peer_tunnel_id", "local", "remote"]
        needed += ["udp_sport", "udp_dport"] if request.given.get("encap", Encap.UDP) is Encap.UDP else []
    for word in needed:
        if not request.given.get(word):
            verb = f"ip-l2tp {request.verb} {'tunnel' if request.tunnel else 'session'}"
            raise InvalidValueError(verb, f"{word} is required", "`l2tpctl ip-l2tp help` shows how")


def _number(most: int) -> Callable[[str, str], int]:
    def number(text: str, what: str) -> int:
        try:
            # As strtoul() with base 0: 0x is hexadecimal, a leading 0 octal.
            octal = len(text) > 1 and text[0] == "0" and text.isdigit()
            value = int(text, 8) if octal else int(text, 0)
        except ValueError:
            value = -1
        if not 0 <= value <= most:
            raise InvalidValueError(what, f"{text!r} is not a number from 1 to {most}", "give one")
        return value

    return number


def _address(text: str, what: str) -> Any:
    try:
        return IPv4Address(0) if text in ("any", "all", "default") else ip_address(text)
    except ValueError:
        raise not_an_address(text, what) from None


def _hex_cookie(text: str, what: str) -> bytes:
    if len(text) not in (8, 16):  # also keeps out what parse_cookie takes and ip does not: none, 0x, colons
        raise InvalidValueError(what, "not a cookie", "give 8 or 16 hex digits")
    return parse_cookie(text, what)


def _one_of(*words: str, any_case: bool = False) -> Callable[[str, str], str]:
    def one_of(text: str, what: str) -> str:
        word = text.lower() if any_case else text
        if word not in words:
            raise InvalidValueError(what, f"{text!r} is unknown", f"give one of {', '.join(words)}")
        return word

    return one_of


_ID = _number(0xFFFF_FFFF)
_PORT = _number(0xFFFF)
_SWITCH = _one_of("on", "off")
_VALUES: dict[str, Callable[[str, str], Any]] = {
    "encap": lambda text, what: Encap(_one_of("ip", "udp")(text, what)),
    "name": parse_ifname,
    "remote": _address,
    "local": _address,
    "tunnel_id": _ID,
    "peer_tunnel_id": _ID,
    "session_id": _ID,
    "peer_session_id": _ID,
    "udp_sport": _PORT,
    "udp_dport": _PORT,
    "udp_csum": _SWITCH,
    "udp6_csum_tx": _SWITCH,
    "udp6_csum_rx": _SWITCH,
    "cookie": _hex_cookie,
    "peer_cookie": _hex_cookie,
    "l2spec_type": lambda text, what: Sublayer(_one_of("default", "none", any_case=True)(text, what)),
    "seq": lambda text, what: Sequencing(_one_of("none", "send", "recv", "both", any_case=True)(text, what)),
}
TUNNEL_ID_WORDS = ("tunnel_id", "tid")
"""The words by which a command names its tunnel."""

_ALIASES = {"tid": "tunnel_id", "ptid": "peer_tunnel_id", "sid": "session_id", "psid": "peer_session_id"}


# -- add and del ---------------------------------------------------------------------------------------------------


def _add(manager: Host, request: Request, datapath: str, netns: str | None) -> str:
    if request.tunnel:
        manager.add_tunnel(f"t{request.given['tunnel_id']}", tunnel_words(request.given, datapath, netns))
    if request.session:
        try:
            tunnel = _find(manager, request.given["tunnel_id"], netns)
            manager.add_session(tunnel.name, f"s{request.given['session_id']}", session_words(request.given))
        except L2tpError:
            if request.tunnel:  # one command made both: it leaves nothing behind
                manager.del_tunnel(f"t{request.given['tunnel_id']}")
            raise
    return ""


def tunnel_words(given: dict[str, Any], datapath: str, netns: str | None) -> dict[str, Any]:
    """Our words for a tunnel from ip's, with ip's defaults. Raises InvalidValueError for what only ip can do."""
    words = {
        "remote": str(given["remote"]),
        "encap": given.get("encap", Encap.UDP).value,
        "id": given["tunnel_id"],
        "peer-id": given["peer_tunnel_id"],
        "datapath": datapath,
        "netns": netns,
    }
    if given["local"] != IPv4Address(0):  # `any`: the route's
        words["local"] = str(given["local"])
    if words["encap"] == "udp":
        words |= {"local-port": given["udp_sport"], "remote-port": given["udp_dport"]}
        words["udp-checksum"] = _checksum(given)
    return words


def _checksum(given: dict[str, Any]) -> str:
    """ip's default: off over IPv4, on over IPv6, where each direction can be told (RFC 6936)."""
    if given["remote"].version == 4:
        return str(given.get("udp_csum", "off"))
    sent, received = given.get("udp6_csum_tx", "on"), given.get("udp6_csum_rx", "on")
    if sent != received:
        problem = "checksums in one direction only are not supported"
        raise InvalidValueError("ip-l2tp: udp6_csum_tx, udp6_csum_rx", problem, "give both on, or both off")
    return str(sent)


def session_words(given: dict[str, Any]) -> dict[str, Any]:
    """Our words for a session from ip's, with ip's defaults: no cookies, netdev down."""
    words = {
        "id": given["session_id"],
        "peer-id": given["peer_session_id"],
        "tx-cookie": given.get("cookie", b""),
        "rx-cookie": given.get("peer_cookie", b""),
        "sublayer": given.get("l2spec_type", Sublayer.DEFAULT).value,
        "sequencing": given.get("seq", Sequencing.NONE).value,
        "up": False,
    }
    return words | ({"ifname": given["name"]} if "name" in given else {})


def _delete(manager: Host, request: Request, netns: str | None) -> str:
    tunnel = _find(manager, request.given.get("tunnel_id", 0), netns)
    session_id = request.given.get("session_id")
    if not session_id:
        manager.del_tunnel(tunnel.name)
        return ""
    for session in tunnel.sessions:
        if session.spec.session_id == session_id:
            manager.del_session(tunnel.name, session.name)
            return ""
    remedy = "`l2tpctl ip-l2tp show session` lists them"
    raise NotFoundError(f"tunnel_id {tunnel.spec.tunnel_id}: session_id {session_id}", "no such session", remedy)


def _find(manager: Host, tunnel_id: int, netns: str | None) -> TunnelStatus:
    for tunnel in _tunnels_in(manager, netns):
        if tunnel.spec.tunnel_id == tunnel_id:
            return tunnel
    raise NotFoundError(f"tunnel_id {tunnel_id}", "no such tunnel", "`l2tpctl ip-l2tp show tunnel` lists them")


def _tunnels_in(manager: Host, netns: str | None, *, secrets: bool = False) -> list[TunnelStatus]:
    """Tunnels of that namespace by id, those on record before foreign ones."""
    tunnels = [tunnel for tunnel in manager.tunnels(netns=netns, secrets=secrets) if tunnel.spec.netns == netns]
    return sorted(tunnels, key=lambda tunnel: (tunnel.spec.tunnel_id, tunnel.foreign))


# -- show ----------------------------------------------------------------------------------------------------------


def _show(manager: Host, request: Request, netns: str | None) -> str:
    tunnel_id, session_id = request.given.get("tunnel_id"), request.given.get("session_id")
    tunnels = [
        tunnel
        for tunnel in _tunnels_in(manager, netns, secrets=request.session)
        if tunnel.condition is not Condition.MISSING and tunnel_id in (None, tunnel.spec.tunnel_id)
    ]
    if not request.session:
        return "".join(format_tunnel(tunnel) for tunnel in tunnels)
    return "".join(
        format_session(tunnel, session)
        for tunnel in tunnels
        for session in sorted(tunnel.sessions, key=lambda one: one.spec.session_id)
        if session.condition is not Condition.MISSING and session_id in (None, session.spec.session_id)
    )


def format_tunnel(tunnel: TunnelStatus) -> str:
    """A tunnel as `ip l2tp show tunnel` prints it."""
    spec = tunnel.spec
    text = (
        f"Tunnel {spec.tunnel_id}, encap {spec.encap.value.upper()}\n"
        f"  From {_ntop(tunnel.local or spec.local)} to {_ntop(spec.remote)}\n"
        f"  Peer tunnel {spec.peer_tunnel_id}\n"
    )
    if spec.encap is Encap.UDP:
        text += f"  UDP source / dest ports: {spec.local_port}/{spec.remote_port}\n"
        text += f"  UDP checksum: {'enabled' if spec.udp_checksum else 'disabled'}\n"
    return text


def format_session(tunnel: TunnelStatus, session: SessionStatus) -> str:
    """A session as `ip l2tp show session` prints it, cookies in clear as there."""
    spec = session.spec
    ifname = session.netdev.ifname if session.netdev else spec.ifname
    text = (
        f"Session {spec.session_id} in tunnel {tunnel.spec.tunnel_id}\n"
        f"  Peer session {spec.peer_session_id}, tunnel {tunnel.spec.peer_tunnel_id}\n"
        f"  interface name: {ifname}\n"
        "  offset 0, peer offset 0\n"
    )
    text += f"  cookie {spec.tx_cookie.hex()}" if spec.tx_cookie else ""
    text += f"  peer cookie {spec.rx_cookie.hex()}" if spec.rx_cookie else ""
    text += f"  reorder timeout: {spec.reorder_timeout_ms}" if spec.reorder_timeout_ms else ""
    asked = sequencing(session)  # not what the kernel does now: it follows its peer, and we set `send` with `recv`
    if asked is not Sequencing.NONE:
        text += f"\n  sequence numbering:{' send' if asked.send else ''}{' recv' if asked.recv else ''}"
    return text + "\n"


def _ntop(address: Any) -> str:
    """Write an address as inet_ntop() does."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return socket.inet_ntop(family, address.packed)
