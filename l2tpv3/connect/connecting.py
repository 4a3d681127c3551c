"""Makes both ends of a pseudowire, or none; and removes both."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final

from l2tpv3.connect.command_end import CommandEnd
from l2tpv3.connect.coordinator import Action, Coordinator, Outcome, Verb
from l2tpv3.connect.drawn import Side, drawn
from l2tpv3.connect.end import End, EndFacts
from l2tpv3.connect.typed_end import TypedEnd
from l2tpv3.errors import ConflictError, InvalidValueError, L2tpError, RefusedError, UnreachableError
from l2tpv3.value_class import value_class

Tell = Callable[[str], None]
CONFIRM_S: Final = 60.0
MARGIN_S: Final = 5.0
"""No end is asked to confirm when it would go back by itself this soon."""


@value_class(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted. names: of the tunnel here and there. local, remote: addresses of this and the far end.

    tunnel, session: words that are the same at both ends; near_*, far_*: those of one end.
    """

    names: tuple[str, str]
    session_name: str
    local: str | None
    remote: str | None
    tunnel: Mapping[str, Any]
    session: Mapping[str, Any]
    near_tunnel: Mapping[str, Any]
    far_tunnel: Mapping[str, Any]
    near_session: Mapping[str, Any]
    far_session: Mapping[str, Any]


def state_ends(near: CommandEnd, far: CommandEnd | TypedEnd, wish: Wish) -> None:
    """Ask both ends what they have, and draw what they have to agree on: `wanted` of both is known then.

    Raises L2tpError where an end can't be asked, has the tunnel already, or waits for another confirmation.
    """
    facts = near.facts(), far.facts()
    for end, known in zip((near, far), facts, strict=True):
        if known.unconfirmed:
            remedy = "`l2tpctl confirm` or `l2tpctl rollback` there first"
            raise ConflictError(end.title, "a change waits for its confirmation", remedy)
    local, remote = addresses(wish.local, wish.remote, facts[1])
    sides = (
        Side(
            tunnel=wish.names[0],
            session=wish.session_name,
            address=local,
            tunnel_words=wish.near_tunnel,
            session_words=wish.near_session,
        ),
        Side(
            tunnel=wish.names[1],
            session=wish.session_name,
            address=remote,
            tunnel_words=wish.far_tunnel,
            session_words=wish.far_session,
        ),
    )
    near.wanted, far.wanted = drawn(*sides, facts, tunnel_words=wish.tunnel, session_words=wish.session)


def addresses(local: str | None, remote: str | None, far: EndFacts) -> tuple[str, str]:
    """The addresses of both ends: those that were given, else those by which ssh goes. Raises InvalidValueError."""
    if local is not None and remote is not None:
        return local, remote
    if far.ssh_addresses is None:
        problem = "the far end does not say by which addresses ssh goes"
        raise InvalidValueError("--local", problem, "give --local and --remote")
    by_ssh = far.ssh_addresses
    if any(ip_address(address).is_link_local for address in by_ssh):
        raise InvalidValueError("--local", "ssh goes by link-local addresses", "give --local and --remote")
    return local or by_ssh[0], remote or by_ssh[1]


def connect(ends: Sequence[End], test: Callable[[], str], *, confirm_s: float, tell: Tell) -> None:
    """Apply at all ends, test, confirm at all; or put all back. The order is the Coordinator's.

    ends: this host's first. test: tests what has been made, and gives what to tell of it. tell: is called with each
    thing as it is done. Raises whatever the cause was, KeyboardInterrupt too, after the ends have gone back.
    """
    coordinator = Coordinator(len(ends), deadline_s=time.monotonic() + confirm_s - MARGIN_S)
    cause: BaseException | None = None
    while (action := coordinator.next(time.monotonic())) is not None:
        done = ""
        try:
            done = _do(action, ends, test, confirm_s)
            coordinator.succeeded(action)
            tell(done)
        except BaseException as error:  # whatever it is, no end is left half: it is raised once they have gone back
            if action.verb is Verb.ROLL_BACK and isinstance(error, L2tpError):
                tell(f"could not be put back at once: {error}")
            cause = cause or error
            refused = isinstance(error, L2tpError) and not isinstance(error, UnreachableError)
            coordinator.failed(action, cut_off=not done and not refused)
    if coordinator.outcome is Outcome.NEW:
        return
    for end in sorted(coordinator.uncertain):
        tell(f"{ends[end].title}: its state is not known; what is not confirmed there is undone within {confirm_s:g} s")
    if coordinator.outcome is Outcome.MIXED:
        kept = " and ".join(ends[end].title for end in sorted(coordinator.confirmed))
        tell(f"it is kept {kept} only: `l2tpctl disconnect` removes what there is")
    if cause is None:
        problem = f"it took longer than the {confirm_s:g} s until the ends would go back"
        raise RefusedError("connect", problem, "give a longer --confirm")
    raise cause


def _do(action: Action, ends: Sequence[End], test: Callable[[], str], confirm_s: float) -> str:
    """Do it, and give what to tell of it."""
    if action.end is None:
        return test()
    end = ends[action.end]
    if action.verb is Verb.APPLY:
        end.apply(confirm_s)
        return f"{end.title}: applied, to be confirmed within {confirm_s:g} s"
    if action.verb is Verb.CONFIRM:
        end.confirm()
        return f"{end.title}: confirmed"
    end.roll_back()
    return f"{end.title}: as it was before"
