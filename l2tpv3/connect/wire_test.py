"""Tests the pseudowire between two ends: small frames and those of full size, there and back."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterator
from typing import Any, Final

from l2tpv3.connect import echo
from l2tpv3.connect.command_end import CommandEnd
from l2tpv3.connect.frames import HEADER, NONCE, SMALL
from l2tpv3.connect.typed_end import TypedEnd
from l2tpv3.errors import L2tpError, RefusedError, UnreachableError
from l2tpv3.remote.ssh import LastBytes, SshCommand
from l2tpv3.remote.ssh_failure import SAID_MAX

LISTENING: Final = b"listening"
"""What `answer-frames` prints first."""
TEST_S: Final = 8.0
"""How long frames are sent for an answer: a path may have to be learnt first, and a key agreed upon."""

_LENGTHS_MAX: Final = 1 << 16
"""Bytes in which the far end tells the lengths of frames, at most."""
_MTUS: Final = range(SMALL - HEADER, 1 << 16)


def test_pseudowire(near: CommandEnd, far: CommandEnd | TypedEnd) -> int:
    """Send frames from the near end, which the far end answers. Gives the length of the longest one, in bytes.

    Raises RefusedError, which says what did not come through, and what the ends say of the tunnel.
    """
    assert near.wanted is not None and far.wanted is not None
    if isinstance(far, TypedEnd):
        return _test_by_echo(near, far)
    mtus = [_mtu(end, _shown(end)) for end in (near, far)]
    full = min(mtus) + HEADER
    heard, answered = _frames(near, far, (SMALL, full))
    if answered >= {SMALL, full}:
        return full
    raise RefusedError(f"tunnel {near.wanted.name}", _what_is_missing(heard, answered, full), _remarks(near, far))


test_pseudowire.__test__ = False  # type: ignore[attr-defined]  # for pytest it has the name of a test


def _test_by_echo(near: CommandEnd, far: TypedEnd) -> int:
    """The same, where it is the far end's kernel that answers, to IPv6."""
    assert near.wanted is not None
    there = far.answering()
    full = HEADER + min(_mtu(near, _shown(near)), there.mtu)
    words = (*_session(near), there.mac.hex(), str(there.address), f"{TEST_S:g}", str(echo.SMALLEST), str(full))
    try:
        answered = set(map(int, json.loads(near.run("ask-echoes", *words))))
    except (ValueError, TypeError) as error:
        raise UnreachableError(near.title, "it does not say which frames were answered") from error
    if answered >= {echo.SMALLEST, full}:
        return full
    problem = "no frame that is sent here is answered there"
    if echo.SMALLEST in answered:
        problem = f"small frames pass, but those of full size, {full} bytes, are not answered"
    raise RefusedError(f"tunnel {near.wanted.name}", problem, _remarks(near))


def _frames(near: CommandEnd, far: CommandEnd, lengths: tuple[int, ...]) -> tuple[set[int], set[int]]:
    """The lengths of the frames that the far end heard, and of the answers that came back."""
    assert near.wanted is not None and far.wanted is not None
    nonce = os.urandom(NONCE).hex()
    errors = LastBytes(SAID_MAX)
    with far_answers(far, _session(far), nonce, 3 * TEST_S) as answering:
        asked = near.run("ask-frames", *_session(near), nonce, f"{TEST_S:g}", *map(str, lengths))
        answering.interrupt()
        told = answering.output(errors, _LENGTHS_MAX)
    try:
        return set(map(int, json.loads(told))), set(map(int, json.loads(asked)))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise UnreachableError(far.title, "it does not say which frames it heard") from error


@contextlib.contextmanager
def far_answers(far: CommandEnd, session: tuple[str, str], nonce: str, seconds: float) -> Iterator[SshCommand]:
    """Have the far end answer frames that come through a session: a tunnel and its session, by their names there.

    In the block it does so. Raises RefusedError where it can't, and what says that it can't be reached.
    """
    with far.running("answer-frames", *session, nonce, f"{seconds:g}") as answering:
        if answering.stdout.readline(64).strip() != LISTENING:
            errors = LastBytes(SAID_MAX)
            answering.output(errors, _LENGTHS_MAX)
            said = errors.kept.decode("utf-8", "replace").strip()
            raise RefusedError(f"{far.title}: frames for a test", said.removeprefix("l2tpctl: ") or "can't be heard")
        yield answering


def _session(end: CommandEnd) -> tuple[str, str]:
    assert end.wanted is not None
    return end.wanted.name, end.wanted.sessions[0].name


def _shown(end: CommandEnd) -> dict[str, Any]:
    return end.shown(_session(end)[0])


def _mtu(end: CommandEnd, shown: dict[str, Any]) -> int:
    """The MTU of the session's netdev. Raises RefusedError without one, and for an MTU that no ethernet has."""
    subject = f"{end.title}: session {'/'.join(_session(end))}"
    try:
        mtu = int(shown["sessions"][0]["netdev"]["mtu"])
    except (KeyError, TypeError, IndexError, ValueError, OverflowError) as error:
        raise RefusedError(subject, "has no netdev") from error
    if mtu not in _MTUS:
        raise RefusedError(subject, f"has an MTU of {mtu}, which is none for ethernet frames")
    return mtu


def _what_is_missing(heard: Collection[int], answered: Collection[int], full: int) -> str:
    if not heard:
        return "no frame that is sent here arrives there"
    if SMALL not in answered:
        return "frames that are sent here arrive there, but none comes back"
    way = "come back" if full in heard else "arrive there"
    return f"small frames pass, but those of full size, {full} bytes, do not {way}"


def _remarks(*ends: CommandEnd) -> str:
    """What `show` says at both ends, which may tell the cause."""
    remarks = []
    for end in ends:
        try:
            shown = _shown(end)
            session = shown["sessions"][0]
            said = [*shown["notes"], *session["notes"]]
            remarks.append(
                f"{end.title} the session is {session['condition']}" + (": " if said else "") + "; ".join(said)
            )
        except (L2tpError, KeyError, TypeError, IndexError):
            continue  # it is about another failure, which is told without the remark
    return ", ".join(one[:SAID_MAX] for one in remarks)
