"""Who asks, and what that one may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from l2tpv3.errors import InvalidValueError


class Scope(StrEnum):
    """What somebody may do. SECRETS is to read cookies and what passes.

    WRITE and SECRETS imply READ, neither implies the other.
    """

    READ = "read"
    WRITE = "write"
    SECRETS = "secrets"


def scopes(words: Iterable[str], subject: str = "--scope") -> frozenset[Scope]:
    """The scopes that these words name, and READ, which any of them implies. Raises InvalidValueError."""
    found = {Scope.READ}
    for word in words:
        try:
            found.add(Scope(word))
        except ValueError:
            remedy = f"give {', '.join(Scope)}"
            raise InvalidValueError(subject, f"{word!r} is not a scope", remedy) from None
    return frozenset(found)


READING: Final = scopes([])
CHANGING: Final = scopes([Scope.WRITE])
EVERYTHING: Final = scopes(Scope)


@dataclass(frozen=True, slots=True)
class Identity:
    """name: as logs and the audit show it ("root", "alice (group l2tpv3)", "token laptop", "certificate CN").

    key: tells identities apart where names may repeat; limits are counted by it.
    """

    name: str
    scopes: frozenset[Scope]
    key: str = field(default="", compare=False)

    def may(self, scope: Scope) -> bool:
        """Whether this is in its scopes."""
        return scope in self.scopes
