"""`l2tpctl events`: what happens to tunnels, sessions and workers, as it happens."""

from __future__ import annotations

import json as json_
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import click

from l2tpv3.cli import completion, options
from l2tpv3.cli.commands.tunnel import manager_of
from l2tpv3.cli.output.streams import use_utf8
from l2tpv3.cli.parameters import Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import InvalidValueError
from l2tpv3.printable import printable, printable_json

if TYPE_CHECKING:
    from l2tpv3.host.base import Host
    from l2tpv3.watch.diff import Event

EXAMPLES = {
    "events": """
l2tpctl events
l2tpctl events --type worker --json | while read -r event; do logger "$event"; done
l2tpctl events --counters 10 --json                # sessions' counters every ten seconds as well
"""
}

_TYPES: Final = ("tunnel", "session", "link", "worker")
_COUNTERS_MIN_S, _COUNTERS_MAX_S = 0.2, 3600.0


def events(
    ctx: click.Context,
    *,
    type: Annotated[
        list[str] | None,
        Option(
            "--type",
            metavar="TYPE",
            help="Only tunnel, session, link or worker; may be repeated.",
            complete=completion.choice(*_TYPES),
        ),
    ] = None,
    counters: Annotated[
        str | None, Option("--counters", metavar="SECONDS", help="Sessions' counters so often, too.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Print what happens from now on, whoever does it, until Ctrl-C.

    Tunnels, sessions and links appear, change and vanish, workers die and return. With --json a document a line.
    """
    types = list(type or [])
    for one in types:
        if one not in _TYPES:
            raise InvalidValueError("--type", f"no event is a {one!r}", f"give {', '.join(_TYPES)}")
    counters_s = None
    if counters is not None:
        counters_s = seconds(counters, "--counters", least=_COUNTERS_MIN_S, most=_COUNTERS_MAX_S)
    if types and counters_s is not None:
        types.append("counters")
    if json:
        use_utf8()
    try:
        host = manager_of(ctx)
        known = {} if json else _documents(host)
        for happening in host.follow(types=types, counters_s=counters_s):
            if json:
                line = printable_json(json_.dumps({"type": happening.type, **happening.data}, ensure_ascii=False))
            else:
                said = _in_words(happening) + _what_changed(known, happening)
                line = f"{datetime.now().strftime('%H:%M:%S')}  {printable(said)}"
            print(line, flush=True)
    except KeyboardInterrupt:
        # This is how it ends: not an error. The terminal shows ^C, let the prompt begin a line.
        if sys.stdout.isatty():
            print()


def _documents(host: Host) -> dict[tuple[str, ...], dict[str, Any]]:
    """What there is now, by type and names, as events tell it."""
    from l2tpv3.documents.link import link_to_json
    from l2tpv3.documents.tunnel import session_to_json
    from l2tpv3.watch.diff import tunnel_document

    known: dict[tuple[str, ...], dict[str, Any]] = {}
    for tunnel in host.tunnels(secrets=False):
        known["tunnel", tunnel.name] = tunnel_document(tunnel)
        for session in tunnel.sessions:
            known["session", tunnel.name, session.name] = session_to_json(tunnel.name, session)
    return known | {("link", link.name): link_to_json(link) for link in host.links.all()}


def _what_changed(known: dict[tuple[str, ...], dict[str, Any]], happening: Event) -> str:
    """` (mtu 1438 → 1300)`: what an event of a change is about, by what was known before; that is kept up to date."""
    document: dict[str, Any] | None = happening.data.get("document")
    if document is None:
        return ""
    names = [happening.data[key] for key in ("tunnel", "name") if key in happening.data]
    key = (happening.type, *names)
    before, known[key] = known.get(key), document
    if before is None or happening.data["change"] != "changed":
        return ""
    old, new = _flat(before), _flat(document)
    words = [f"{name} {old.get(name, 'none')} → {value}" for name, value in new.items() if old.get(name) != value]
    return f" ({', '.join(words)})" if words else ""


def _flat(document: dict[str, Any], above: str = "") -> dict[str, str]:
    """What can change of a document, a word for each; counters move all the time, and `wanted` says the rest again."""
    flat: dict[str, str] = {}
    for key, value in document.items():
        if isinstance(value, dict) and key == "netdev":
            flat |= _flat(value, "netdev ")
        elif key not in ("counters", "wanted", "document", "ifindex"):
            words = ", ".join(map(str, value)) if isinstance(value, list) else value
            flat[above + key.replace("_", "-")] = "none" if words in (None, "", {}) else str(words)
    return flat


def _in_words(happening: Event) -> str:
    data: dict[str, Any] = happening.data
    document: dict[str, Any] = data.get("document", {})
    match happening.type:
        case "tunnel":
            return f"tunnel {data['name']} {data['change']}{_condition(document, data)}"
        case "session":
            return f"session {data['tunnel']}/{data['name']} {data['change']}{_condition(document, data)}"
        case "link":
            return f"link {data['name']} {data['change']}{_condition(document, data)}"
        case "worker":
            return f"worker {data['pid']} of tunnel {data['tunnel']} {data['change']}"
        case "counters":
            packets = [(one["counters"]["rx_packets"], one["counters"]["tx_packets"]) for one in data["sessions"]]
            received, sent = (sum(column) for column in zip(*packets, strict=True)) if packets else (0, 0)
            return f"counters of {len(packets)} sessions: {received} packets received, {sent} sent"
        case "apply":
            step = data.get("step")
            said = f": {step['sign']} {step['text']}" if step else ""
            return f"apply by {data['who']} {data['state']}{said}"
        case "confirmation":
            why = f": {data['detail']}" if data["detail"] else f" by {data['who']}"
            return f"change that has to be confirmed: {data['change']}{why}"
        case _:
            return "some events were missed"


def _condition(document: dict[str, Any], data: dict[str, Any]) -> str:
    return "" if data["change"] == "vanished" else f": {document['condition']}"


COMMANDS = {"events": events}
