"""`l2tpctl tunnel rekey`: new keys for a tunnel that WireGuard encrypts, in two steps."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import click

from l2tpv3.cli import options
from l2tpv3.cli.commands.tunnel import manager_of
from l2tpv3.cli.parameters import Option
from l2tpv3.errors import InvalidValueError

if TYPE_CHECKING:
    from l2tpv3.model.spec import TunnelSpec

EXAMPLES = {
    "rekey": """\
l2tpctl tunnel rekey siteb
l2tpctl tunnel rekey siteb --peer-public-key 3hGyKmpPqu9a2uBhbYyDxVY5nLvZ9OqfJ8Eo2uC0VGs=
""",
}


def rekey(
    ctx: click.Context,
    tunnel: options.TunnelName,
    *,
    peer_public_key: Annotated[
        str | None,
        Option("--peer-public-key", metavar="KEY", help="The peer's new public key, which its `rekey` has printed."),
    ] = None,
) -> None:
    """Give an encrypted tunnel new keys, in two steps.

    Without KEY a new key is drawn, and kept beside the one in use; what is to be typed at the other end is printed.
    That end takes its own new key and this one's at once, and prints what is to be typed here, which does the same.
    Between those two commands nothing passes.
    """
    from l2tpv3.model import ids, wireguard

    host = manager_of(ctx)
    spec = host.tunnel(tunnel, secrets=True).spec
    _require_encryption(tunnel, spec)
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


def _require_encryption(tunnel: str, spec: TunnelSpec) -> None:
    """Raise InvalidValueError for a tunnel without keys."""
    from l2tpv3.model.spec import Encrypt

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
