"""What `l2tpctl tunnel rekey --host` runs at each end: `rekey-facts`, `rekey-turn`. They are not for people."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import click

from l2tpv3.cli import options
from l2tpv3.cli.commands.rekey import require_encryption
from l2tpv3.cli.commands.run_sent import SENDER_GONE
from l2tpv3.cli.commands.tunnel import local_manager
from l2tpv3.cli.expiring import expiring
from l2tpv3.cli.parameters import Argument
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import RefusedError

if TYPE_CHECKING:
    from l2tpv3.host.manager import Manager
    from l2tpv3.model.progress import StepText
    from l2tpv3.model.spec import TunnelSpec

EXAMPLES: dict[str, str] = {}

_GO_WITHIN_S: Final = 20.0
_HANDSHAKE_WITHIN_S: Final = 10.0
_LOOK_AGAIN_S: Final = 0.1
_DISCARD: Final = 9
"""A UDP port (RFC 863): a packet to it has WireGuard begin a handshake."""


def rekey_facts(ctx: click.Context, tunnel: options.TunnelName) -> None:
    """Print the public keys of a tunnel, the next one of this end as well, as JSON. That one is drawn if need be."""
    from l2tpv3.model import ids
    from l2tpv3.model.wireguard import public_key

    manager = local_manager(ctx, "rekey-facts")
    unconfirmed = manager.unconfirmed_s() is not None
    spec = manager.tunnel(tunnel, secrets=True).spec
    require_encryption(tunnel, spec)
    drawn = spec.next_private_key or ids.generate_key()
    if spec.next_private_key is None and not unconfirmed:
        manager.set_tunnel(tunnel, {"next-private-key": ids.format_key(drawn)})
    peer = spec.peer_public_key
    document = {
        "public_key": ids.format_key(spec.public_key),
        "next_public_key": ids.format_key(public_key(drawn)),
        "peer_public_key": None if peer is None else ids.format_key(peer),
        "unconfirmed": unconfirmed,
    }
    print(json.dumps(document))


def rekey_turn(
    ctx: click.Context,
    tunnel: options.TunnelName,
    confirm: Annotated[str, Argument(metavar="SECONDS", help="It is undone then, unless it is confirmed.")],
    key: Annotated[str | None, Argument(metavar="[KEY]", help="The peer's new public key.")] = None,
) -> None:
    """Take this end's next key into use, or with KEY the peer's. It waits for Ctrl-C when it has come to that.

    Both addresses inside stay. With KEY it ends when there was a handshake with that key.
    """
    from l2tpv3.connect.rekeying import DONE, READY

    manager = local_manager(ctx, "rekey-turn")
    spec = manager.tunnel(tunnel, secrets=True).spec
    require_encryption(tunnel, spec)
    confirm_s = seconds(confirm, "SECONDS")
    prepared = False

    def wait_for_the_word(_: StepText) -> None:
        nonlocal prepared
        if not prepared:
            prepared = True
            _wait_for_the_word(tunnel, READY.decode())

    with expiring(confirm_s, manager):
        manager.set_tunnel(tunnel, _words(spec, key), confirm_s=confirm_s, on_step=wait_for_the_word)
    print(DONE.decode(), flush=True)
    if key is not None:
        _wait_for_handshake(manager, tunnel)


def _words(spec: TunnelSpec, key: str | None) -> dict[str, Any]:
    """The words that a turn changes. Both addresses inside are given, as they follow from the keys else."""
    from l2tpv3.model import ids

    kept = {"inner-address": str(spec.inner_local), "peer-inner-address": str(spec.inner_remote)}
    if key is not None:
        return {**kept, "peer-public-key": ids.format_key(ids.parse_public_key(key, "KEY"))}
    if spec.next_private_key is None:
        raise RefusedError(f"tunnel {spec.name}", "has no next key", "begin once more with `l2tpctl tunnel rekey`")
    return {**kept, "private-key": ids.format_key(spec.next_private_key), "next-private-key": None}


def _wait_for_the_word(tunnel: str, ready: str) -> None:
    """Print `ready`, and wait until the sender interrupts. Raises RefusedError where it has gone, or takes too long."""
    with contextlib.suppress(KeyboardInterrupt):  # which may come before the line is out
        print(ready, flush=True)
        SENDER_GONE.wait(_GO_WITHIN_S)
        raise RefusedError(f"tunnel {tunnel}", "nobody has said that the key is to be changed now")
    if SENDER_GONE.is_set():
        raise RefusedError(f"tunnel {tunnel}", "whoever changes the keys has gone; nothing was changed")


def _wait_for_handshake(manager: Manager, tunnel: str) -> None:
    """Wait until WireGuard has agreed with the peer, which needs a packet. Raises RefusedError where it does not."""
    give_up = time.monotonic() + _HANDSHAKE_WITHIN_S
    while time.monotonic() < give_up:
        status = manager.tunnel(tunnel)
        if status.encryption is not None and status.encryption.handshake is not None:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
            one.sendto(b"", (str(status.spec.inner_remote), _DISCARD))
        time.sleep(_LOOK_AGAIN_S)
    raise RefusedError(f"tunnel {tunnel}", f"the peer does not answer with its new key for {_HANDSHAKE_WITHIN_S:g} s")


COMMANDS = {"rekey-facts": rekey_facts, "rekey-turn": rekey_turn}
"""The commands of this module, by name."""
