"""What a host does for the coordinator of its fleet: each request is a JSON document, and so is each answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

from l2tpv3.connect.frames import NONCE
from l2tpv3.connect.taken import taken_ports
from l2tpv3.documents.plan import step_to_json
from l2tpv3.errors import ConflictError, InvalidValueError, NotFoundError, RefusedError
from l2tpv3.fleet.noting import Noting
from l2tpv3.fleet.own_part import OwnPart, read_text
from l2tpv3.fleet.protocol import FLEET_PROTOCOL
from l2tpv3.fleet.wire_frames import Answering, ask_all
from l2tpv3.model.desired import Desired
from l2tpv3.model.hearing import Hearing
from l2tpv3.model.status import Condition
from l2tpv3.version import VERSION

if TYPE_CHECKING:
    from l2tpv3.host.manager import Manager
    from l2tpv3.model.record import TunnelRecord
    from l2tpv3.model.status import TunnelStatus

_LENGTHS: Final = range(60, (1 << 16) + 14)
_SECONDS_MAX: Final = 600.0

Expiring = Callable[[float], AbstractContextManager[None]]
"""Sees to it that a change that is made in the block is undone after so many seconds, unless it is confirmed."""


class FarEnd:
    """One host, as its fleet's coordinator sees it. Requests are the methods in VERBS; each raises L2tpError."""

    def __init__(self, manager: Manager, expiring: Expiring) -> None:
        self._manager, self._expiring = manager, expiring
        self._answering: Answering | None = None
        self._noting = Noting(manager)
        self._netdevs: dict[tuple[str, str], tuple[str, int]] = {}

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is asked for. Raises InvalidValueError for a request that can't be understood."""
        verb = VERBS.get(str(request.get("verb")))
        if verb is None:
            remedy = "install the same version at all hosts of the fleet"
            raise InvalidValueError("request", f"{str(request.get('verb'))[:40]!r} is unknown here", remedy)
        try:
            return verb(self, request)
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidValueError("request", f"can't be understood: {type(error).__name__} {error}") from error

    def close(self) -> None:
        """Stop what goes on."""
        if self._answering is not None:
            self._answering.close()
            self._answering = None

    def _own(self, request: Mapping[str, Any]) -> OwnPart:
        before = [_document(text) for text in request["before"]]
        return OwnPart(before, _document(request["new"]))

    # -- looking -------------------------------------------------------------------------------------------------

    def facts(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What is taken here by others than the fleet, once no change is under way."""
        manager, own = self._manager, self._own(request)
        manager.wait_for_changes()
        owned = {name for name, record in manager.records().items() if own.owns_tunnel(record)}
        others = [one for one in manager.tunnels() if one.name not in owned]
        return {
            "protocol": FLEET_PROTOCOL,
            "version": VERSION,
            "identity": manager.host_id,
            "tunnels": [one.name for one in others],
            "tunnel_ids": sorted({one.spec.tunnel_id for one in others}),
            "session_ids": sorted({session.spec.session_id for one in others for session in one.sessions}),
            "ports": sorted(taken_ports(others)),
            "unconfirmed": manager.unconfirmed() is not None,
        }

    def plan(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What `apply` would do."""
        own = self._own(request)
        self._noting.look()
        outcome = self._manager.plan(own.new, remove=own.removed, check=own.check)
        if not outcome.changes and self._manager.unconfirmed() is None:
            self._noting.note(request["new"])
        return {"changes": outcome.changes, "steps": [step_to_json(step) for step in outcome.step_texts]}

    def show(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What the fleet's tunnels are like here."""
        own = self._own(request)
        records = self._manager.records()
        shown = [_shown(one, records.get(one.name), own) for one in self._manager.tunnels(secrets=False)
                 if not one.foreign]  # fmt: skip
        left_s = self._manager.unconfirmed_s()
        return {"version": VERSION, "unconfirmed_s": left_s, "tunnels": [one for one in shown if one is not None]}

    # -- changing ------------------------------------------------------------------------------------------------

    def apply(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make the host's part of the change; it is undone by itself unless it is confirmed in time."""
        own, confirm_s = self._own(request), float(request["confirm_s"])
        with self._expiring(confirm_s):
            outcome = self._manager.apply(own.new, remove=own.removed, check=own.check, confirm_s=confirm_s)
        self._noting.look()
        return {"changes": outcome.changes}

    def confirm(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what `apply` did."""
        pending = self._manager.unconfirmed()
        if pending is None or not self._own(request).is_about(pending) or not self._manager.confirm():
            raise NotFoundError("confirm", "the fleet's change does not wait here any more")
        self._noting.note(request["new"])
        return {}

    def roll_back(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Undo what `apply` did, if it still waits. What somebody else has waiting here is left alone."""
        self._manager.wait_for_changes()  # `apply` may have been cut off from whoever asked for it
        pending = self._manager.unconfirmed()
        undone = pending is not None and self._own(request).is_about(pending)
        if undone:
            self._manager.rollback()
        return {"undone": undone}

    def conclude(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have the host be what was committed: by a confirmation where that is still possible, else once more."""
        self._manager.wait_for_changes()
        own, pending = self._own(request), self._manager.unconfirmed()
        if pending is not None:
            if not own.is_about(pending):
                remedy = "`l2tpctl confirm` or `l2tpctl rollback` there first"
                raise ConflictError("this host", "a change of somebody else waits for its confirmation", remedy)
            self._manager.confirm()
        outcome = self._manager.apply(own.new, remove=own.removed, check=own.check)
        return {"confirmed": pending is not None, "changes": outcome.changes}

    # -- testing -------------------------------------------------------------------------------------------------

    def listen(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer test frames in these sessions from now on. Gives the MTU of each one's netdev; None without one.

        Besides it gives what is wrong with other tunnels, which this host sees when it looks for those netdevs.
        """
        self.close()
        shown = self._manager.tunnels(secrets=False)
        seen = self._netdevs = session_netdevs(shown)
        wanted = [(str(tunnel), str(session)) for tunnel, session in request["sessions"]]
        netdevs = [seen.get(one) for one in wanted]
        self._answering = Answering([one[0] for one in netdevs if one is not None], _nonce(request))
        others = [one for one in shown if not one.foreign and one.name not in {name for name, _ in wanted}]
        unwell = {one.name: says for one in others if (says := _what_is_wrong(one)) is not None}
        return {"mtus": [None if one is None else one[1] for one in netdevs], "unwell": unwell}

    def send(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send test frames in sessions that `listen` was asked for. Gives the lengths that were answered, of each."""
        seen = self._netdevs
        wanted: dict[str, list[int]] = {}
        places = []
        for tunnel, session, lengths in request["frames"]:
            netdev = seen.get((str(tunnel), str(session)))
            if netdev is None:
                raise RefusedError(f"session {tunnel}/{session}", "has no netdev")
            if not all(int(length) in _LENGTHS for length in lengths):
                raise InvalidValueError("request", "a length that no frame has")
            wanted[netdev[0]] = [int(length) for length in lengths]
            places.append(netdev[0])
        answered = ask_all(wanted, _nonce(request), min(float(request["seconds"]), _SECONDS_MAX))
        return {"answered": [sorted(answered[ifname]) for ifname in places]}


VERBS: Final[Mapping[str, Callable[[FarEnd, Mapping[str, Any]], dict[str, Any]]]] = {
    "facts": FarEnd.facts,
    "plan": FarEnd.plan,
    "show": FarEnd.show,
    "apply": FarEnd.apply,
    "confirm": FarEnd.confirm,
    "roll-back": FarEnd.roll_back,
    "conclude": FarEnd.conclude,
    "listen": FarEnd.listen,
    "send": FarEnd.send,
}
"""What can be asked of a host."""


def _document(text: object) -> list[Desired]:
    if not isinstance(text, str):
        raise InvalidValueError("request", "a document that is no text")
    return read_text(text)


def _nonce(request: Mapping[str, Any]) -> bytes:
    try:
        nonce = bytes.fromhex(request["nonce"])
    except ValueError:
        nonce = b""
    if len(nonce) != NONCE:
        raise InvalidValueError("request", "has no nonce of a test")
    return nonce


def session_netdevs(shown: Iterable[TunnelStatus]) -> dict[tuple[str, str], tuple[str, int]]:
    """The name and the MTU of the netdev of each session that has one, by the names of tunnel and session."""
    return {
        (one.name, session.name): (session.netdev.ifname, session.netdev.mtu)
        for one in shown
        for session in one.sessions
        if session.netdev is not None
    }


def _what_is_wrong(tunnel: TunnelStatus) -> str | None:
    """What is wrong with a tunnel that nobody tests now; None where it is up and has heard the other end."""
    conditions = (tunnel.condition, *(one.condition for one in tunnel.sessions))
    for condition in conditions:
        if condition is not Condition.UP:
            return f"it is {condition}"
    if any(one.hearing not in (None, Hearing.HEARD) for one in tunnel.sessions):
        return "nothing is heard from the other end"
    return None


def _shown(status: TunnelStatus, record: TunnelRecord | None, own: OwnPart) -> dict[str, Any] | None:
    """One tunnel, if it is the fleet's."""
    if record is None or not own.owns_tunnel(record):
        return None
    return {"name": status.name, "condition": str(status.condition), **next(_sessions(status), {})}


def _sessions(status: TunnelStatus) -> Iterator[dict[str, Any]]:
    for one in status.sessions:
        yield {
            "session": str(one.condition),
            "hearing": None if one.hearing is None else str(one.hearing),
            "last_received_s": one.last_received_s,
            "mtu": None if one.netdev is None else one.netdev.mtu,
            "notes": [*status.notes, *one.notes],
        }
