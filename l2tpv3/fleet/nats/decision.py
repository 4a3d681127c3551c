"""The decision about a change of many hosts: commit or abort.

It is created once in the bucket, under the serial number of the change, and never altered: it is the truth about what
became of the change.
"""

from __future__ import annotations

from typing import Any, Final

from l2tpv3.errors import InvalidValueError
from l2tpv3.fleet.nats.keys import FleetKey
from l2tpv3.fleet.nats.signed import check, serial_of, sign, text_of
from l2tpv3.value_class import value_class

_KIND: Final = "decision"
CHANGE_MAX: Final = 64
"""Characters of a change's id at most."""


@value_class(frozen=True, slots=True, kw_only=True)
class Decision:
    """What became of a change.

    serial: of the change; a later change of the fleet has a greater one. change: drawn at random for it, so that no two
    changes are taken for each other, even if two coordinators with copies of one key chose the same serial number.
    """

    serial: int
    change: str
    commit: bool

    def signed(self, key: FleetKey) -> dict[str, str]:
        """The decision, signed by the fleet's key, JSON-ready."""
        statement = {"fleet": key.fleet, "serial": self.serial, "change": self.change, "commit": self.commit}
        return sign(_KIND, statement, key.sign)

    @classmethod
    def checked(cls, signed: object, public: bytes, fleet: str) -> Decision:
        """A decision that the fleet's key signed. Raises InvalidValueError."""
        statement: dict[str, Any] = check(_KIND, signed, public, fleet, "a decision of the fleet")
        try:
            if not isinstance(statement["commit"], bool):
                raise ValueError("neither commit nor abort")
            change = text_of(statement, "change", CHANGE_MAX)
            return cls(serial=serial_of(statement), change=change, commit=statement["commit"])
        except (KeyError, ValueError) as error:
            raise InvalidValueError("a decision of the fleet", f"can't be understood: {error}", _VERSIONS) from error


_VERSIONS: Final = "install the same version of l2tpv3 on all hosts of the fleet"
