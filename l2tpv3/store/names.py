"""What the names of peers stand for: a file in the runtime directory that `l2tpctl watch` writes."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from l2tpv3.model.values import IPAddress
from l2tpv3.store import kept
from l2tpv3.value_class import value_class

FILE: Final = "names.json"
_PROBLEM_MAX: Final = 300


@value_class(frozen=True, slots=True)
class NameAnswer:
    """What a name stood for when it was looked up last: its addresses, the first is the best one.

    problem: why it has none now, "" where it has.
    """

    addresses: tuple[IPAddress, ...] = ()
    problem: str = ""

    def address(self, present: IPAddress | None, version: int | None) -> IPAddress | None:
        """The address for a tunnel; None where there is none. version: of which family it has to be, None is any.

        The one that the tunnel has stays as long as the name stands for it: a name may have several, told in turns.
        """
        fitting = [one for one in self.addresses if version in (None, one.version)]
        return present if present in fitting else next(iter(fitting), None)


def keep(runtime: Path, answers: Mapping[str, NameAnswer], *, good_for_s: float) -> None:
    """Write the file, by the names; see kept.write, whose errors it raises."""
    names = {name: [[str(address) for address in one.addresses], one.problem] for name, one in answers.items()}
    kept.write(runtime, FILE, names, good_for_s=good_for_s)


def stamp(runtime: Path) -> object:
    """What is another one when the file is; None where there is none."""
    try:
        status = (runtime / kept.FOLDER / FILE).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def read(runtime: Path, now: float) -> dict[str, NameAnswer]:
    """What the file says at that time of time.monotonic(), by the names; what is not as it should be is left out."""
    found: dict[str, NameAnswer] = {}
    for name, words in kept.read(runtime, FILE, now).items():
        try:
            addresses, problem = words
            answer = NameAnswer(tuple(ip_address(str(one)) for one in addresses), str(problem)[:_PROBLEM_MAX])
        except (ValueError, TypeError):
            continue
        found[name] = answer
    return found
