"""`l2tpctl tunnel rekey`: new keys for a tunnel that WireGuard encrypts, at both ends or in two steps by hand."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import click

from l2tpv3.cli import options
from l2tpv3.cli.commands.tunnel import local_manager, manager_of
from l2tpv3.cli.parameters import Option
from l2tpv3.errors import InvalidValueError
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from l2tpv3.host.base import Host
    from l2tpv3.model.spec import TunnelSpec

EXAMPLES = {
    "rekey": """\
l2tpctl tunnel rekey siteb --host ssh://root@siteb.example.net
l2tpctl tunnel rekey siteb                  # connected by `connect`: both ends; else the first step by hand
l2tpctl tunnel rekey siteb --peer-public-key 3hGyKmpPqu9a2uBhbYyDxVY5nLvZ9OqfJ8Eo2uC0VGs=
""",
}


def rekey(
    ctx: click.Context,
    tunnel: options.TunnelName,
    *,
    host: Annotated[
        str | None,
        Option("--host", metavar="URL", help="The far end, to get new keys as well. [default: as it was connected]"),
    ] = None,
    peer_name: Annotated[
        str | None, Option("--peer-name", metavar="NAME", help="What the tunnel is called there. [default: as here]")
    ] = None,
    here: Annotated[bool, Option("--here", help="By hand, also where the far end is known from `connect`.")] = False,
    peer_public_key: Annotated[
        str | None,
        Option("--peer-public-key", metavar="KEY", help="The peer's new public key, which its `rekey` has printed."),
    ] = None,
) -> None:
    """Give an encrypted tunnel new keys.

    With --host, or where `connect` has made the tunnel, both ends get one each, and no packet is lost as long as no
    more than 128 want to leave within a few hundredths of a second; see docs/encryption.md. When anything fails, both
    have their old ones.

    Else, or with --here, in two steps by hand: a new key is drawn, and kept beside the one in use; what is to be typed
    at the other end is printed. That end takes its own new key and this one's at once, and prints what is to be typed
    here, which does the same. Between those two commands nothing passes.
    """
    far = None if here or peer_public_key is not None else _far_end(ctx, tunnel, host, peer_name)
    if far is not None:
        _rekey_both(tunnel, *far)
        return
    if host is not None or peer_name is not None:
        problem = "is for new keys at both ends, which need nothing typed at the other one"
        raise InvalidValueError("--host" if host is not None else "--peer-name", problem, "leave the other options out")
    _rekey_by_hand(manager_of(ctx), tunnel, peer_public_key)


def _far_end(ctx: click.Context, tunnel: str, host: str | None, peer_name: str | None) -> tuple[str, str] | None:
    """The other host and what the tunnel is called there, as given or as connected.

    None where neither is known, and where the other host has no l2tpctl.
    """
    from l2tpv3.connect.connections import Connections
    from l2tpv3.host.manager import Manager

    if host is not None:
        local_manager(ctx, "tunnel rekey --host")
        return host, peer_name or tunnel
    manager = manager_of(ctx)
    known = Connections(manager.paths.state).find(tunnel) if isinstance(manager, Manager) else None
    return None if known is None or known.place is not None else (known.host, peer_name or known.peer)


def _rekey_both(tunnel: str, host: str, peer_name: str) -> None:
    from l2tpv3.cli.commands.connect import both_ends
    from l2tpv3.connect.rekeying import RekeyEnd, rekey

    near, far = both_ends(host)
    rekey(RekeyEnd(near, tunnel), RekeyEnd(far, peer_name), _tell)
    print(f"tunnel {tunnel}: new keys are in use at both ends", file=sys.stderr)


def _tell(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)


def _rekey_by_hand(host: Host, tunnel: str, peer_public_key: str | None) -> None:
    from l2tpv3.model import ids, wireguard

    spec = host.tunnel(tunnel, secrets=True).spec
    require_encryption(tunnel, spec)
    drawn = spec.next_private_key
    private = drawn if drawn is not None else ids.generate_key()
    other_end = [
        "l2tpctl",
        "tunnel",
        "rekey",
        tunnel,
        "--peer-public-key",
        ids.format_key(wireguard.public_key(private)),
    ]
    if peer_public_key is None:
        if drawn is None:
            host.set_tunnel(tunnel, {"next-private-key": ids.format_key(private)})
        print(f"tunnel {tunnel}: a new key is drawn, and not in use yet; type this at the other end:", file=sys.stderr)
        print(shlex.join(other_end))
        return
    peer = ids.parse_public_key(peer_public_key, "--peer-public-key")
    _require_new_key(peer, spec)
    words = {
        "private-key": ids.format_key(private),
        "peer-public-key": ids.format_key(peer),
        "next-private-key": None,
    }
    host.set_tunnel(tunnel, words)
    print(f"tunnel {tunnel}: new keys are in use", file=sys.stderr)
    if drawn is None:
        print(f"tunnel {tunnel}: nothing passes until this is typed at the other end:", file=sys.stderr)
        print(shlex.join(other_end))


def require_encryption(tunnel: str, spec: TunnelSpec) -> None:
    """Raise InvalidValueError for a tunnel without keys of WireGuard."""
    from l2tpv3.model.spec import Encrypt

    if spec.encrypt is Encrypt.IPSEC:
        problem = "IPsec's keys for packets are new each hour by themselves"
        remedy = f"`l2tpctl tunnel set {tunnel} --pre-shared-key @FILE` at both ends gives it another pre-shared key"
        raise InvalidValueError(f"tunnel {tunnel}", problem, remedy)
    if spec.encrypt is Encrypt.NONE:
        problem = "it is not encrypted, and has no keys"
        raise InvalidValueError(f"tunnel {tunnel}", problem, f"`l2tpctl tunnel set {tunnel} --encrypt wireguard` first")


def _require_new_key(peer: bytes, spec: TunnelSpec) -> None:
    """Raise InvalidValueError for a public key that the peer has already, or that is one of this end.

    So the second step, typed once more or at the wrong end, changes nothing.
    """
    from l2tpv3.model.wireguard import public_key

    own = [public_key(key) for key in (spec.private_key, spec.next_private_key) if key is not None]
    if peer in own:
        problem = "is a key of this end"
    elif peer == spec.peer_public_key:
        problem = "is the key that the peer has already"
    else:
        return
    remedy = "give the one that `l2tpctl tunnel rekey` has printed at the other end"
    raise InvalidValueError("--peer-public-key", problem, remedy)


COMMANDS = {"rekey": rekey}
