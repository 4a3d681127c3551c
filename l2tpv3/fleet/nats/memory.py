"""What a host's agent keeps over restarts: which change it has for good, and which one it tried. A file, mode 0600.

It is written before the host is changed, so that after a kill the agent knows what it may have done, and what the
fleet may own of this host.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

from l2tpv3.errors import RefusedError, file_error
from l2tpv3.linux.read_file import read_file
from l2tpv3.linux.write_file import write_durably
from l2tpv3.value_class import value_class

_SIZE_MAX: Final = 16 << 20


@value_class(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A change that is made here and waits for the fleet's decision.

    mark: that of the host's change that waits for its confirmation (PendingChange.mark); None where nothing differed.
    """

    serial: int
    change: str
    mark: str | None


@value_class(frozen=True, slots=True, kw_only=True)
class Memory:
    """committed: the serial number of what the host has for good; 0 before the first.

    tried: the greatest serial number that was ever made here, for good or not; none is tried again before its decision.
    waiting: what is made and not decided. owned: the names of what is committed (see resolve.change.ApplyAll: nothing
    else of this host is the fleet's). owned_by_try: those of what was begun since, which may be there or not.
    unsure: a change may have been left as it was tried, so the state that is committed is to be made once more.
    """

    committed: int = 0
    tried: int = 0
    waiting: Waiting | None = None
    owned: frozenset[str] = frozenset()
    owned_by_try: frozenset[str] = frozenset()
    unsure: bool = False

    def write(self, path: Path) -> None:
        """Replace the file. Raises NotPermittedError, RefusedError."""
        words = {
            "committed": self.committed,
            "tried": self.tried,
            "waiting": None if self.waiting is None else dataclasses.asdict(self.waiting),
            "owned": sorted(self.owned),
            "owned_by_try": sorted(self.owned_by_try),
            "unsure": self.unsure,
        }
        write_durably(path, json.dumps(words).encode())

    @classmethod
    def read(cls, path: Path) -> Memory:
        """What the file says; a new memory where there is none. Raises L2tpError where it can't be read."""
        try:
            words: Any = json.loads(read_file(path, _SIZE_MAX))
            waiting = None if words["waiting"] is None else Waiting(**words["waiting"])
            return cls(
                committed=int(words["committed"]),
                tried=int(words["tried"]),
                waiting=waiting,
                owned=frozenset(map(str, words["owned"])),
                owned_by_try=frozenset(map(str, words["owned_by_try"])),
                unsure=bool(words["unsure"]),
            )
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise file_error(path, "read what this host has of the fleet", error) from error
        except (ValueError, KeyError, TypeError) as error:
            remedy = "leave the fleet and join it again: `l2tpctl fleet leave`, `l2tpctl fleet enroll`"
            raise RefusedError(str(path), "is not what the agent wrote", remedy) from error
