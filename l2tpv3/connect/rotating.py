"""New cookies for both directions of a session, without a lost packet.

A direction gets its new cookie in one turn: first the end that receives expects the new one, and goes on to take the
old one for a while (see forwarding/session.py); then the end that sends puts it in its packets. Both changes wait for a
confirmation: an end that hears no more goes back by itself, while the other one still takes what it sends.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any, Final

from l2tpv3.connect.command_end import SECRET, CommandEnd, understood
from l2tpv3.connect.putting_back import put_back
from l2tpv3.errors import ConflictError, L2tpError, NotFoundError, UnavailableError
from l2tpv3.model import ids
from l2tpv3.model.fields import WORKERS
from l2tpv3.value_class import value_class

Tell = Callable[[str], None]
CONFIRM_S: Final = 30.0
"""When an end that hears no more goes back, in seconds: before its peer stops to take the old cookie."""


@value_class(frozen=True, slots=True, kw_only=True)
class CookieFacts:
    """What one end has of the session. sent, expected: its cookies, in hex digits."""

    id: int
    peer_id: int
    sent: str
    expected: str
    datapath: str


class CookieEnd:
    """An end of the session: `end`, where it is called `tunnel`/`session`."""

    def __init__(self, end: CommandEnd, tunnel: str, session: str) -> None:
        self._end, self._tunnel, self._session = end, tunnel, session

    @property
    def title(self) -> str:
        """The name of this end in messages."""
        return self._end.title

    @property
    def subject(self) -> str:
        """The session at this end, in messages."""
        return f"{self.title}: session {self._tunnel}/{self._session}"

    def facts(self) -> CookieFacts:
        """What it has now. Raises L2tpError, NotFoundError where there is no such session."""
        shown = self._end.shown(self._tunnel, "--show-secrets")
        with understood(self.title):
            sessions: list[dict[str, Any]] = [one for one in shown["sessions"] if one["name"] == self._session]
            if sessions:
                (one,) = sessions
                return CookieFacts(
                    id=int(one["id"]), peer_id=int(one["peer_id"]), sent=str(one["tx_cookie"]["hex"]),
                    expected=str(one["rx_cookie"]["hex"]), datapath=str(shown["datapath"]),
                )  # fmt: skip
        raise NotFoundError(
            self.subject, "no such session", "give --peer-name and --peer-session as it is called there"
        )

    def change(self, direction: str, cookie: bytes) -> None:
        """Take a cookie into use, to be confirmed within CONFIRM_S. direction: tx or rx. Raises L2tpError."""
        words = ("cookie-turn", self._tunnel, self._session, direction, f"@{SECRET}", f"{CONFIRM_S:g}")
        self._end.run(*words, secret=ids.format_cookie(cookie).encode())

    def _has(self, cookie: bytes) -> bool:
        facts = self.facts()
        return ids.format_cookie(cookie) in (facts.sent, facts.expected)

    def confirm(self, cookie: bytes) -> None:
        """Keep the change to a cookie. Raises NotFoundError where it was undone meanwhile."""
        if not self._has(cookie):
            raise NotFoundError(self.subject, "the new cookie is there no more")
        self._end.run("confirm")

    def roll_back(self, cookie: bytes) -> None:
        """Undo the change to a cookie, where it was made. What waits without it is somebody else's."""
        if self._has(cookie):
            with contextlib.suppress(NotFoundError):
                self._end.run("rollback")


def rotate(near: CookieEnd, far: CookieEnd, tell: Tell) -> None:
    """Give both directions of a session a new cookie of 64 bits. tell: called with each thing as it is done.

    Raises ConflictError where they are not the two ends of one session, UnavailableError where one of them is on the
    kernel datapath, and the error that was the cause where a turn was put back.
    """
    here, there = near.facts(), far.facts()
    for end, facts in ((near, here), (far, there)):
        if facts.datapath not in WORKERS:
            problem = f"the {facts.datapath} datapath takes no other cookie without making the session anew"
            remedy = (
                "`l2tpctl tunnel set TUNNEL --datapath user` first; or set --tx-cookie and --rx-cookie at both ends"
            )
            raise UnavailableError(end.subject, problem, remedy)
        if not facts.expected:
            remedy = "`l2tpctl session set` with --tx-cookie and --rx-cookie at both ends"
            raise ConflictError(end.subject, "it expects no cookie, so one can't be changed for another", remedy)
    same_ids = (here.id, here.peer_id) == (there.peer_id, there.id)
    # After an earlier call that was cut off, one of the directions may disagree: it gets a new cookie like the other.
    if not same_ids or (here.sent != there.expected and there.sent != here.expected):
        problem = "it is not the other end: ids or cookies are not those of this end"
        raise ConflictError(far.subject, problem, "give --host, and --peer-name and --peer-session where they differ")
    _turn(near, far, far, near, tell)
    _turn(far, near, far, near, tell)


def _turn(sender: CookieEnd, receiver: CookieEnd, first: CookieEnd, second: CookieEnd, tell: Tell) -> None:
    """Give the direction from sender to receiver a new cookie. first, second: both, as they are confirmed.

    On any failure both go back, and the error is raised.
    """
    cookie = ids.generate_cookie()
    confirmed = False
    try:
        receiver.change("rx", cookie)
        sender.change("tx", cookie)
        for end in (first, second):
            end.confirm(cookie)
            confirmed = True
    except (L2tpError, KeyboardInterrupt):
        if not confirmed:
            put_back([functools.partial(end.roll_back, cookie) for end in (sender, receiver)], CONFIRM_S, tell)
        if confirmed:
            tell(f"{first.title} the new cookie is kept; the same command once more makes both ends agree")
        raise
    tell(f"{sender.title}: sends a new cookie, which is expected {receiver.title}")
