"""New keys for both ends of a tunnel that WireGuard encrypts, without a lost packet.

An end gets its new key in one turn, which is two changes at the same moment: first the end itself takes the key, then
the other one knows it by that key. The session of WireGuard that runs outlives the first change as far as receiving
goes: what the other end has sent still passes. What this end sends waits for the next handshake, up to 128 packets
(drivers/net/wireguard: wg_noise_expire_current_peer_keypairs(), MAX_STAGED_PACKETS; wireguard-go does the same). The
second change has the other end begin that handshake. So nothing is lost while no more packets than these want to leave
between the two changes. The addresses inside stay, else the tunnel would have to be made anew.

Both changes are prepared, up to that moment, before either is made. Both wait for a confirmation: an end that hears no
more goes back to the old keys by itself.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from typing import Final

from l2tpv3.connect.command_end import CommandEnd
from l2tpv3.connect.putting_back import put_back
from l2tpv3.errors import ConflictError, L2tpError, NotFoundError, RefusedError, UnreachableError
from l2tpv3.remote.ssh import LastBytes, SshCommand
from l2tpv3.remote.ssh_failure import SAID_MAX
from l2tpv3.value_class import value_class

Tell = Callable[[str], None]
READY: Final = b"ready"
DONE: Final = b"done"
"""What `rekey-turn` prints when its change is prepared, and when it is made."""
CONFIRM_S: Final = 60.0
"""When an end that hears no more goes back, in seconds."""
_TURN_S: Final = 50.0
"""How long a turn may take, in seconds: less than CONFIRM_S, so that no end is confirmed that goes back just then."""
_LINE_MAX: Final = 64


@value_class(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """The public keys of a tunnel at one end. next_public_key: the one that the end takes into use next."""

    public_key: str
    next_public_key: str
    peer_public_key: str | None
    unconfirmed: bool


class RekeyEnd:
    """An end of the tunnel: `end`, where it is called `tunnel`."""

    def __init__(self, end: CommandEnd, tunnel: str) -> None:
        self.end, self.tunnel = end, tunnel

    @property
    def title(self) -> str:
        """The name of this end in messages."""
        return self.end.title

    def facts(self) -> KeyFacts:
        """Its keys. Raises L2tpError, UnreachableError for an answer that can't be read."""
        text = self.end.run("rekey-facts", self.tunnel)
        try:
            found = json.loads(text)
            peer = found["peer_public_key"]
            return KeyFacts(
                public_key=str(found["public_key"]),
                next_public_key=str(found["next_public_key"]),
                peer_public_key=None if peer is None else str(peer),
                unconfirmed=bool(found["unconfirmed"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            problem = "l2tpctl answers what can't be read"
            raise UnreachableError(self.title, problem, "install the same version at both ends") from error

    @contextlib.contextmanager
    def change(self, key: str | None = None) -> Iterator[_Change]:
        """A change that is prepared for the length of the block: see `rekey-turn`. Not made there, it never is."""
        words = ("rekey-turn", self.tunnel, f"{CONFIRM_S:g}", *([] if key is None else [key]))
        with self.end.running(*words) as running:
            running.give_up_after(_TURN_S)
            change = _Change(self, running)
            change.expect(READY)
            yield change

    def has(self, key: str) -> bool:
        """Whether a key is this end's, or its peer's, by now."""
        facts = self.facts()
        return key in (facts.public_key, facts.peer_public_key)

    def roll_back(self, key: str) -> None:
        """Undo the change to a key, where it was made. What waits for a confirmation without it is somebody else's."""
        if self.has(key):
            with contextlib.suppress(NotFoundError):
                self.end.run("rollback")

    def confirm(self, key: str) -> None:
        """Keep the change to a key. Raises NotFoundError where it was undone meanwhile."""
        if not self.has(key):
            raise NotFoundError(f"{self.title}: tunnel {self.tunnel}", "the new key is there no more")
        self.end.run("confirm")


class _Change:
    """A change that is prepared at an end."""

    def __init__(self, end: RekeyEnd, running: SshCommand) -> None:
        self._end, self._running = end, running

    def make(self) -> None:
        """Make it. Raises L2tpError."""
        self._running.interrupt()
        self.expect(DONE)

    def expect(self, line: bytes) -> None:
        """Wait for a line. Raises RefusedError with what the end says instead, UnreachableError where it is cut off."""
        if self._running.stdout.readline(_LINE_MAX).strip() != line:
            self.finish()
            raise UnreachableError(self._end.title, "l2tpctl answers what can't be read")

    def finish(self) -> None:
        """Wait for its end. Raises RefusedError with what the end says, UnreachableError where it is cut off."""
        errors = LastBytes(SAID_MAX)
        self._running.output(errors, _LINE_MAX)
        if self._running.exit_status():
            said = errors.kept.decode("utf-8", "replace").strip().splitlines() or ["it does not say why"]
            subject = f"{self._end.title}: tunnel {self._end.tunnel}"
            raise RefusedError(subject, said[-1].removeprefix("l2tpctl: ").removeprefix(f"tunnel {self._end.tunnel}: "))


def rekey(near: RekeyEnd, far: RekeyEnd, tell: Tell) -> None:
    """Give both ends a new key, this host's first. tell: called with each thing as it is done.

    Where an earlier call was cut off after the far end had confirmed a turn, this end catches up first.
    Raises ConflictError where they are not the two ends of one tunnel, or one waits for another confirmation, and the
    error that was the cause where a turn was put back.
    """
    here, there = near.facts(), far.facts()
    for end, facts in ((near, here), (far, there)):
        if facts.unconfirmed:
            remedy = "`l2tpctl confirm` or `l2tpctl rollback` there first"
            raise ConflictError(end.title, "a change waits for its confirmation", remedy)
    if (here.public_key, here.peer_public_key) != (there.peer_public_key, there.public_key):
        _catch_up(near, here, far, there)
        here = near.facts()
    _turn(near, far, here.next_public_key, (far, near), tell)
    _turn(far, near, there.next_public_key, (far, near), tell)


def _catch_up(near: RekeyEnd, here: KeyFacts, far: RekeyEnd, there: KeyFacts) -> None:
    """Have this end take the key that the far end has kept in an earlier turn, which was cut off before this one did.

    Raises ConflictError where it can't be that: the far end has to know a key of this end.
    """
    if (there.peer_public_key, there.public_key) == (here.next_public_key, here.peer_public_key):
        key, known = here.next_public_key, None
    elif there.peer_public_key == here.public_key:
        key, known = there.public_key, there.public_key
    else:
        problem = "it is not the other end: the two tunnels don't have each other's keys"
        raise ConflictError(
            f"{far.title}: tunnel {far.tunnel}", problem, "give --host, and --peer-name where it differs"
        )
    try:
        with near.change(known) as change:
            change.make()
            change.finish()
        near.confirm(key)
    except (L2tpError, KeyboardInterrupt):
        near.roll_back(key)
        raise


def _turn(owner: RekeyEnd, other: RekeyEnd, key: str, ends: tuple[RekeyEnd, RekeyEnd], tell: Tell) -> None:
    """Have one end take a new key, and the other one know it. ends: both, as they are confirmed.

    On any failure both go back, and the error is raised.
    """
    confirmed: list[RekeyEnd] = []
    try:
        with other.change(key) as knowing, owner.change() as taking:
            taking.make()
            knowing.make()
            knowing.finish()
            taking.finish()
        for end in ends:
            end.confirm(key)
            confirmed.append(end)
    except (L2tpError, KeyboardInterrupt):
        if not confirmed:
            put_back([functools.partial(end.roll_back, key) for end in ends], CONFIRM_S, tell)
        if confirmed:
            tell(f"{confirmed[0].title} the new key is kept; `l2tpctl confirm` at the other end keeps it there, too")
        raise
    tell(f"{owner.title}: a new key, which is known {other.title}")
