"""A finding: what is wrong with a tunnel or a session, how that is known, and what mends it."""

from __future__ import annotations

from enum import StrEnum

from l2tpv3.value_class import value_class


class Harm(StrEnum):
    """STOPS: nothing passes. LOSES: some of what should pass does not, or too much does. NONE: good to know."""

    STOPS = "nothing passes"
    LOSES = "some is lost"
    NONE = "nothing is lost"


@value_class(frozen=True, slots=True, kw_only=True)
class Finding:
    """cause: a word that stays the same from release to release; of one subject, a cause is told once.

    subject: `tunnel siteb` or `session siteb/lan`. says: a sentence. evidence: what was seen, each a counter, a
    packet's header, a route or a rule. remedy: a command, or what else mends it; "" where there is none.
    """

    cause: str
    harm: Harm
    subject: str
    says: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""


def divided(note: str) -> tuple[str, str]:
    """What a note says, and its remedy: what stands behind the last "; " or ": " that a command comes after.

    The remedy is "" where the note has no command.
    """
    ends = [at for sign in ("; ", ": ") for at in _places(note, sign) if "`" in note[at:]]
    if not ends:
        return note, ""
    at = max(ends)
    return note[:at], note[at + 2 :]


def _places(text: str, sign: str) -> list[int]:
    found, at = [], text.find(sign)
    while at >= 0:
        found.append(at)
        at = text.find(sign, at + 1)
    return found
