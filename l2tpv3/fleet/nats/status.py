"""What a host tells its fleet: signed by the host, so that no other host and no server can tell it in its name."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import field
from typing import Final

from l2tpv3.errors import InvalidValueError
from l2tpv3.fleet.nats.decision import CHANGE_MAX
from l2tpv3.fleet.nats.keys import HostIdentity, HostKeys
from l2tpv3.fleet.nats.signed import SERIAL_MAX, check, parse, sign, text_of
from l2tpv3.value_class import value_class
from l2tpv3.version import VERSION

STATUS_MAX: Final = 64 << 10
"""Bytes of a status at most."""
_TUNNELS_MAX: Final = 1000
_ERROR_MAX: Final = 1000
_WRONG_MAX: Final = 10
_TEXT_MAX: Final = 200
_KIND: Final = "status"
_SUBJECT: Final = "the status of"


@value_class(frozen=True, slots=True, kw_only=True)
class HostReport:
    """version: of l2tpv3 there. committed, tried: see Memory. error: why something failed; "" for none.

    waiting: serial number and id of the change that is made and undecided. ready: it passes the frames of all
    pseudowires that it has here. gone_back: the change that was tried last is no more. wrong: of pseudowires that do
    not pass frames, some, with what is wrong with each. tunnels: how each of the fleet's tunnels is. at: when the host
    said so, in seconds since 1970 by its clock.
    """

    host: str
    committed: int
    tried: int
    waiting: tuple[int, str] | None
    error: str
    ready: bool = False
    gone_back: bool = False
    wrong: Mapping[str, str] = field(default_factory=dict)
    version: str = VERSION
    tunnels: Mapping[str, str] = field(default_factory=dict)
    at: float = 0.0

    def signed(self, keys: HostKeys, fleet: str) -> bytes:
        """The bytes for the bucket."""
        statement = {
            "fleet": fleet,
            "host": self.host,
            "committed": self.committed,
            "tried": self.tried,
            "waiting": self.waiting,
            "error": self.error[:_ERROR_MAX],
            "ready": self.ready,
            "gone_back": self.gone_back,
            "wrong": {name: text[:_TEXT_MAX] for name, text in sorted(self.wrong.items())[:_WRONG_MAX]},
            "version": self.version,
            "tunnels": dict(sorted(self.tunnels.items())[:_TUNNELS_MAX]),
            "at": round(time.time(), 3),
        }
        return json.dumps(sign(_KIND, statement, keys.sign), separators=(",", ":")).encode()

    @classmethod
    def checked(cls, value: bytes, host: HostIdentity, fleet: str) -> HostReport:
        """What that host signed for this fleet. Raises InvalidValueError."""
        subject = f"{_SUBJECT} {host.name}"
        if len(value) > STATUS_MAX:
            raise InvalidValueError(subject, f"has more than {STATUS_MAX} bytes")
        statement = check(_KIND, parse(value, subject), host.status, fleet, subject)
        try:
            waiting, tunnels = statement["waiting"], statement["tunnels"]
            if statement["host"] != host.name:
                raise ValueError("another host's")
            if waiting is not None:
                waiting = (_count(waiting[0]), text_of({"change": waiting[1]}, "change", CHANGE_MAX))
            return cls(
                host=host.name,
                committed=_count(statement["committed"]),
                tried=_count(statement["tried"]),
                waiting=waiting,
                error=text_of(statement, "error", _ERROR_MAX),
                ready=statement["ready"] is True,
                gone_back=statement["gone_back"] is True,
                wrong={str(name): str(text) for name, text in statement["wrong"].items()},
                version=text_of(statement, "version", _TEXT_MAX),
                tunnels={str(name): str(condition) for name, condition in tunnels.items()},
                at=float(statement["at"]),
            )
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
            raise InvalidValueError(subject, f"can't be understood: {error}") from error


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= SERIAL_MAX:
        raise ValueError("no serial number")
    return value
