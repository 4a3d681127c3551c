"""What the fleet's coordinator keeps: the fleet's key, its hosts, and the state that was committed for each of them.

A folder, mode 0700. Who loses it can't change the fleet any more; who has a copy of it owns the fleet's hosts.

    key              the fleet's key                         login         the secret of the coordinator's nkey
    serial           the serial number that was used last
    under-way.json   the change that was begun and is not ended, with the state of each of its hosts
    hosts/NAME.json  the host's public keys, and its committed state as it was signed
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from l2tpv3.errors import ExistsError, NotFoundError, RefusedError, file_error
from l2tpv3.fleet.nats.decision import Decision
from l2tpv3.fleet.nats.desired import DesiredState
from l2tpv3.fleet.nats.keys import KEY, FleetKey, HostIdentity, check_host, nkey_public, nkey_seed, read_secret
from l2tpv3.linux.filelock import locked
from l2tpv3.linux.read_file import read_file
from l2tpv3.linux.write_file import remove_durably, write_durably
from l2tpv3.value_class import value_class

FOLDER: Final = "fleet-nats"
"""Name of the folder in the state directory."""
_LOCK_S: Final = 5.0
_SIZE_MAX: Final = 1 << 30


@value_class(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A change that was begun and is not ended. states: of the hosts that it is about, by name. texts: their files.

    decision: what was signed, whether the bucket has it or not; None as long as nothing was.
    """

    serial: int
    change: str
    states: Mapping[str, DesiredState]
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    decision: Decision | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class Committed:
    """The state that a host is to have, and the decision that says so. text: its file; None where it was not kept."""

    state: DesiredState
    decision: Decision
    text: str | None = field(default=None, repr=False)


class Directory:
    """The folder of a fleet's coordinator. Every method raises L2tpError where a file can't be read or written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = FleetKey.read(folder / "key")

    @classmethod
    def open(cls, folder: Path) -> Directory:
        """The fleet that was made here. Raises NotFoundError where none was."""
        if not (folder / "key").exists():
            remedy = "`l2tpctl fleet enroll HOST` makes one, on the machine that is to change the fleet"
            raise NotFoundError(str(folder), "no fleet was made here", remedy)
        return cls(folder)

    @classmethod
    def open_or_make(cls, folder: Path) -> Directory:
        """The fleet of this folder, which is made with a new key where there is none."""
        if not (folder / "key").exists():
            try:
                (folder / "hosts").mkdir(mode=0o700, parents=True, exist_ok=True)
                folder.chmod(0o700)
            except OSError as error:
                raise file_error(folder, "make this folder", error) from error
            write_durably(folder / "login", secrets.token_bytes(KEY))
            FleetKey.draw().write(folder / "key")  # last: with it the fleet is there
        return cls(folder)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the fleet for the block: nobody else on this machine changes it. Raises LockedError."""
        with locked(self.folder / "lock", os.O_CREAT | os.O_RDWR, timeout_s=_LOCK_S):
            yield

    def login_seed(self) -> str:
        """The seed of the coordinator's nkey."""
        return nkey_seed(read_secret(self.folder / "login"))

    def login_public(self) -> str:
        """The coordinator's public nkey."""
        return nkey_public(read_secret(self.folder / "login"))

    # -- hosts ---------------------------------------------------------------------------------------------------

    def hosts(self) -> dict[str, HostIdentity]:
        """The hosts that were enrolled, by name."""
        names = sorted(path.stem for path in (self.folder / "hosts").glob("*.json"))
        return {name: self.host(name) for name in names}

    def host(self, name: str) -> HostIdentity:
        """One host. Raises NotFoundError."""
        return HostIdentity.from_words(self._host(name)["identity"])

    def enroll(self, host: HostIdentity) -> None:
        """Put a host on record. Raises ExistsError where one of that name is."""
        if self._host_path(host.name).exists():
            raise ExistsError(f"host {host.name}", "is enrolled already", f"`l2tpctl fleet expel {host.name}` first")
        self._write(self._host_path(host.name), {"identity": host.to_words(), "committed": None})

    def expel(self, name: str) -> None:
        """Take a host off the record. Raises NotFoundError."""
        self._host(name)
        remove_durably(self._host_path(name))

    def committed(self, name: str) -> Committed | None:
        """What was committed for a host; None where nothing was yet. Raises NotFoundError."""
        words = self._host(name)["committed"]
        if words is None:
            return None
        state = DesiredState.checked(words["desired"], self.key.public, self.key.fleet, name)
        decision = Decision.checked(words["decision"], self.key.public, self.key.fleet)
        return Committed(state=state, decision=decision, text=words.get("text"))

    def note_committed(self, name: str, committed: Committed) -> None:
        """Keep what was committed for a host. Raises NotFoundError."""
        words = {
            "desired": committed.state.signed,
            "decision": committed.decision.signed(self.key),
            "text": committed.text,
        }
        self._write(self._host_path(name), {**self._host(name), "committed": words})

    def _host_path(self, name: str) -> Path:
        return self.folder / "hosts" / f"{check_host(name)}.json"

    def _host(self, name: str) -> Any:
        try:
            return self._read(self._host_path(name))
        except FileNotFoundError:
            known = ", ".join(sorted(path.stem for path in (self.folder / "hosts").glob("*.json"))) or "none"
            raise NotFoundError(f"host {name}", "is not enrolled", f"those that are: {known}") from None

    # -- changes -------------------------------------------------------------------------------------------------

    def serial(self) -> int:
        """The serial number of the last change; 0 before the first."""
        try:
            return int(self._read(self.folder / "serial"))
        except FileNotFoundError:
            return 0

    def under_way(self) -> UnderWay | None:
        """The change that was begun and not ended; None where there is none."""
        try:
            words = self._read(self.folder / "under-way.json")
        except FileNotFoundError:
            return None
        public, fleet = self.key.public, self.key.fleet
        decision = words["decision"]
        return UnderWay(
            serial=words["serial"],
            change=words["change"],
            states={name: DesiredState.checked(one, public, fleet, name) for name, one in words["states"].items()},
            texts=words.get("texts", {}),
            decision=None if decision is None else Decision.checked(decision, public, fleet),
        )

    def note(self, change: UnderWay) -> None:
        """Note a change: before its first record is written, and before its decision is."""
        self._write(self.folder / "serial", change.serial)  # first: it is never used twice
        words = {
            "serial": change.serial,
            "change": change.change,
            "states": {name: state.signed for name, state in change.states.items()},
            "texts": dict(change.texts),
            "decision": None if change.decision is None else change.decision.signed(self.key),
        }
        self._write(self.folder / "under-way.json", words)

    def end(self) -> None:
        """Note that the change is over, and that what it committed is noted for each host."""
        remove_durably(self.folder / "under-way.json")

    def _read(self, path: Path) -> Any:
        """Raises FileNotFoundError, L2tpError."""
        try:
            return json.loads(read_file(path, _SIZE_MAX))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise file_error(path, "read what the fleet has", error) from error
        except (ValueError, RecursionError) as error:
            raise RefusedError(
                str(path), "is not what was written there", "bring the folder back from a copy"
            ) from error

    def _write(self, path: Path, words: object) -> None:
        write_durably(path, json.dumps(words).encode())
