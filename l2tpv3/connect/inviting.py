"""Makes the invitation to the other end of a tunnel that is here, and draws it as a QR code."""

from __future__ import annotations

import importlib
import io
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from l2tpv3.connect.invitation import SECRET, Invitation
from l2tpv3.errors import ConflictError, InvalidValueError, UnavailableError
from l2tpv3.formats.mirror import far_end
from l2tpv3.model import ids
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.model.spec import Encrypt
from l2tpv3.model.status import TunnelStatus
from l2tpv3.model.wireguard import public_key

if TYPE_CHECKING:
    from l2tpv3.host.manager import Manager
    from l2tpv3.model.record import TunnelRecord

EXPIRES_S: Final = 3600.0
"""How long an invitation can be used where nobody says."""


def invitation_to(
    tunnel: TunnelStatus,
    *,
    expires_s: float,
    name: str | None = None,
    of_tunnel: Mapping[str, Any] | None = None,
    of_session: Mapping[str, Any] | None = None,
) -> Invitation:
    """The invitation to the other end of a tunnel. tunnel: with its cookies.

    expires_s: how long it can be used, in seconds. name: what the tunnel is called there; None is as here. of_tunnel,
    of_session: words of the other end alone. Raises InvalidValueError where the tunnel has another number of sessions
    than one, and where WireGuard encrypts it and `of_tunnel` has no private key for the other end.
    """
    of_tunnel = of_tunnel or {}
    if len(tunnel.sessions) != 1:
        problem = f"has {len(tunnel.sessions)} sessions, and an invitation is to a tunnel with one"
        raise InvalidValueError(f"tunnel {tunnel.name}", problem, "give each session a tunnel of its own")
    if tunnel.spec.encrypt is Encrypt.WIREGUARD and "private-key" not in of_tunnel:
        problem = "the private key of its other end is not known here"
        raise InvalidValueError(f"tunnel {tunnel.name}", problem, "ask by POST, which draws one")
    far = far_end(tunnel, name)
    stated = DesiredTunnel.from_specs(far.spec, [one.spec for one in far.sessions])
    wanted = with_words(stated, of_tunnel, of_session or {}, without="ifname")
    return Invitation(tunnel=wanted, expires=int(time.time() + expires_s), secret=os.urandom(SECRET))


def invite_with_new_key(
    manager: Manager, tunnel: str, *, expires_s: float, name: str | None = None, replace: bool = False
) -> Invitation:
    """Draw a WireGuard key for the other end of a tunnel that is here, and give the invitation which has it.

    The tunnel has the public key that belongs to it from then on. replace: also where it has one already, of which the
    other end is cut off until it joins anew. A tunnel without WireGuard is only read. expires_s, name: as for
    `invitation_to`. Raises ForeignError, ConflictError, and what `invitation_to` and Manager.set_tunnel do.
    """
    status = manager.tunnel(tunnel)
    if status.spec.encrypt is not Encrypt.WIREGUARD:
        return invitation_to(status, expires_s=expires_s, name=name)
    before = status.spec.private_key, status.spec.peer_public_key
    if before[1] is not None and not replace:
        problem = "its other end has a key already, which an invitation would replace"
        raise ConflictError(f"tunnel {tunnel}", problem, "ask with replace_key=true where that is meant")
    key = ids.generate_key()
    words = {"private-key": ids.format_key(key)}
    invitation = invitation_to(status, expires_s=expires_s, name=name, of_tunnel=words)

    def check(record: TunnelRecord | None) -> None:
        if record is None or (record.spec.private_key, record.spec.peer_public_key) != before:
            raise ConflictError(f"tunnel {tunnel}", "its keys were changed just now", "ask again")

    manager.set_tunnel(tunnel, {"peer-public-key": ids.format_key(public_key(key))}, check=check)
    return invitation


def with_words(
    tunnel: DesiredTunnel, of_tunnel: Mapping[str, Any], of_session: Mapping[str, Any], *, without: str = ""
) -> DesiredTunnel:
    """A tunnel with its one session, with these words in place of its own. without: a word that the session loses."""
    (session,) = tunnel.sessions
    words = {word: value for word, value in session.words.items() if word != without}
    lan = DesiredSession(name=session.name, words={**words, **of_session})
    return DesiredTunnel(name=tunnel.name, words={**tunnel.words, **of_tunnel}, sessions=(lan,))


def qr_for_terminal(text: str) -> str:
    """The text as a QR code of characters. Raises UnavailableError where the package segno is missing."""
    drawn = io.StringIO()
    _segno("--qr").make_qr(text).terminal(out=drawn, compact=True)
    return drawn.getvalue()


def qr_as_svg(text: str) -> str:
    """The text as a QR code in SVG, black on white. Raises UnavailableError where the package segno is missing."""
    drawn = io.BytesIO()
    _segno("the QR code").make_qr(text).save(drawn, kind="svg", light="white", omitsize=True, xmldecl=False, nl=False)
    return drawn.getvalue().decode()


def qr_rows(text: str) -> list[str]:
    """The text as a QR code, in rows from the top: "1" is dark, "0" is light, with its margin of 4.

    Raises UnavailableError where the package segno is missing.
    """
    rows = _segno("the QR code").make_qr(text).matrix_iter(border=4)
    return ["".join("1" if dark else "0" for dark in row) for row in rows]


def _segno(what: str) -> Any:
    try:
        return importlib.import_module("segno")
    except ModuleNotFoundError as error:
        from l2tpv3.optional_packages import install_command

        raise UnavailableError(
            what, "needs the Python package segno", f"{install_command('qr')} installs it"
        ) from error
