"""What is remembered of the last look that found nothing to do, so that the next one need not parse and plan again.

A plan is a pure function of what is on record, what is wanted and what is seen. When all three are the same as when it
came out empty, it is empty. So remembered are: the state of the record's file, a digest of each wanted tunnel's words,
and the kernel's answers but for counters; with them what else went in, the program's own files and this boot. The
record's file is not read: whoever is about to change it through store.py has this forgotten first, and an edit by other
means shows in its times and size.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from l2tpv3.netns import netns_path
from l2tpv3.places import Places
from l2tpv3.replay import Part, Piece
from l2tpv3.wanted import Wanted, WantedTunnel

_FORMAT = 3

Stamp = tuple[Any, ...]
"""What has to be equal, beside the words and the answers."""


RouteTaken = tuple[str | None, str, int, str, int | None]
"""The route of a tunnel: its network namespace, peer, the peer's port, local address, and the MTU, None without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """digests: of wanted tunnels, by name, that come to what is on record. takes: the dumps that it runs by.

    pruned: the names of those wanted when nothing else was on record; None when that is not known. all_up: no session
    on record has a netdev that is down. routes: what was chosen from, see quick.routes_of.
    """

    digests: Mapping[str, bytes]
    takes: list[Part]
    pruned: tuple[str, ...] | None = None
    all_up: bool = False
    routes: tuple[RouteTaken, ...] = ()


class _Loaded(NamedTuple):
    """What is in the file. times: of the file. stamp, netns: see Recall.stamp."""

    times: tuple[int, ...]
    stamp: Stamp
    netns: Sequence[str | None]
    remembered: Remembered


def digests_of(wanted: Iterable[Wanted]) -> dict[str, bytes] | None:
    """A digest of each tunnel's words by its name; None where there is something that has none, or a name twice.

    marshal, for it tells 1 from True and takes a tenth of JSON's time; nothing is ever read back from it.
    """
    found: dict[str, bytes] = {}
    try:
        for one in wanted:
            if not isinstance(one, WantedTunnel) or one.name in found:
                return None
            words: Any = (one.words, [(session.name, session.words) for session in one.sessions])
            found[one.name] = hashlib.blake2b(marshal.dumps(words, 2), digest_size=16).digest()
    except (ValueError, AttributeError):
        return None
    return found


class Recall:
    """The memory of one host: a file in its runtime directory, for its owner alone, read when it is another one."""

    def __init__(self, places: Places) -> None:
        self._file = places.runtime / "remembered"
        self._db = places.state / "l2tpv3.db"
        self._loaded: _Loaded | None = None

    def forget(self) -> None:
        """The record is about to change."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self._file.unlink()

    def load(self) -> Remembered | None:
        """What is remembered, if the record has not changed since; the same object as long as it is the same."""
        loaded = self._loaded
        try:
            times = _times(self._file)
            if loaded is None or loaded.times != times:
                loaded = self._loaded = _read(self._file, times)
            return loaded.remembered if loaded.stamp == self.stamp(loaded.netns) else None
        except (OSError, ValueError, EOFError, TypeError, KeyError):
            return None

    def stamp(self, namespaces: Iterable[str | None]) -> Stamp:
        """Of the record's file, the program and this boot. OSError: there is no record."""
        return (
            _times(self._db),
            _log_times(self._db.with_name(f"{self._db.name}-wal")),
            _code_times(),
            Path("/proc/sys/kernel/random/boot_id").read_text("ascii"),
            tuple(_identity(netns) for netns in namespaces),
        )

    def keep(self, remembered: Remembered, namespaces: Iterable[str | None], stamp: Stamp | None = None) -> None:
        """Remember it; stamp: as it was before that was looked at. The caller holds the lock. It may not work."""
        namespaces = sorted({*namespaces, None}, key=str)
        try:
            now = self.stamp(namespaces)
            if stamp is not None and stamp[:4] != now[:4]:
                return
            content = {
                "format": _FORMAT,
                "stamp": now,
                "netns": namespaces,
                "digests": dict(remembered.digests),
                "takes": [(one[:5], [tuple(piece) for piece in one.pieces]) for one in remembered.takes],
                "pruned": remembered.pruned,
                "all_up": remembered.all_up,
                "routes": remembered.routes,
            }
            new = self._file.with_name("remembered.new")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(marshal.dumps(content, 2))
            new.replace(self._file)
            self._loaded = _Loaded(_times(self._file), now, namespaces, remembered)
        except (OSError, ValueError):
            self.forget()


def _read(file: Path, times: tuple[int, ...]) -> _Loaded:
    kept = marshal.loads(file.read_bytes())
    if kept["format"] != _FORMAT:
        raise ValueError(kept["format"])
    takes = [Part._make((*one, list(map(Piece._make, pieces)))) for one, pieces in kept["takes"]]
    words = {word: kept[word] for word in ("digests", "pruned", "all_up")}
    remembered = Remembered(takes=takes, routes=tuple(map(tuple, kept["routes"])), **words)
    return _Loaded(times, kept["stamp"], kept["netns"], remembered)


def _times(file: Path) -> tuple[int, ...]:
    status = file.stat()
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _code_times() -> tuple[tuple[str, int, int], ...]:
    """Of the files that plans are made by: another version may plan otherwise."""
    with os.scandir(Path(__file__).parent) as entries:
        files = [(one.name, one.stat()) for one in entries if one.name.endswith(".py")]
    return tuple(sorted((name, status.st_size, status.st_mtime_ns) for name, status in files))


def _log_times(file: Path) -> tuple[int, ...]:
    """Of SQLite's log: an empty one is as good as none."""
    try:
        times = _times(file)
    except FileNotFoundError:
        return ()
    return times if times[1] else ()


def _identity(netns: str | None) -> tuple[int, int] | None:
    """What a namespace's name means now."""
    try:
        status = Path("/proc/thread-self/ns/net" if netns is None else netns_path(netns)).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
