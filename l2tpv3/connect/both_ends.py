"""Examines both ends of pseudowires: compares what they have, and has each look while the other sends frames."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from l2tpv3.connect.command_end import OUTPUT_MAX, CommandEnd, understood
from l2tpv3.connect.frames import NONCE, SMALL, TestFrame, opened, send
from l2tpv3.connect.wire_test import LISTENING
from l2tpv3.doctor.comparison import Wire, clocks, compared, counterpart, pairs
from l2tpv3.doctor.ends import TunnelEnd, end_of
from l2tpv3.doctor.report import Report, from_json, in_order, merged
from l2tpv3.errors import L2tpError, NotFoundError, RefusedError
from l2tpv3.linux.netns import inside
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.model.status import NetdevState, TunnelStatus
from l2tpv3.remote.ssh import LastBytes
from l2tpv3.remote.ssh_failure import SAID_MAX
from l2tpv3.version import VERSION

Look = Callable[[str], Report]
"""Examines one tunnel of this host, by its name."""
_EACH_S: Final = 0.1
_NETDEVS: Final = 64
"""Frames are sent on so many netdevs of a tunnel at most."""


def examine_both(
    statuses: Callable[[], list[TunnelStatus]], look: Look, far: CommandEnd, *, tunnel: str | None, session: str | None,
    listen_s: float,
) -> Report:  # fmt: skip
    """Examine a tunnel, or one of its sessions, at both ends; None: each tunnel that has its other end there.

    statuses: gives the tunnels of this host. look: examines one of them. Changes nothing, but sends frames through the
    sessions that no bridge passes on. Raises what says that the far end can't be asked.
    """
    nonce = os.urandom(NONCE)
    before = time.time()
    there = far.compared(nonce)
    here = statuses()
    near = end_of(here, nonce)
    between = list(clocks((before, time.time()), there, VERSION, far.title))
    reports = []
    for one in near.tunnels:
        other = counterpart(one, there)
        if tunnel not in (None, one.name) or (tunnel is None and other is None):
            continue
        if other is None:
            reports.append(_without(look(one.name), one, far.title))
            continue
        wire = Wire(near=one, far=other, there=far.title)
        netdevs = [it.netdev for status in here if status.name == one.name for it in status.sessions if it.netdev]
        with _examining(far, wire, session, listen_s) as examining, sending(netdevs):
            own = look(one.name)
            theirs = examining()
        reports.append(joined(wire, session, own, theirs))
    if not reports:
        problem = f"no tunnel of this host has its other end {far.title}"
        raise NotFoundError(far.title, problem, "name one: `l2tpctl doctor TUNNEL --both HOST`")
    return _all(reports, between)


@contextlib.contextmanager
def sending(netdevs: Iterable[NetdevState]) -> Iterator[None]:
    """Send test frames on netdevs for the length of the block, by a thread. A netdev that takes none is passed over."""
    enough = threading.Event()
    with contextlib.ExitStack() as stack:
        opened_ones: list[socket.socket] = []
        for netdev in list(netdevs)[:_NETDEVS]:
            with contextlib.suppress(L2tpError), inside(netdev.netns):
                opened_ones.append(stack.enter_context(opened(netdev.ifname)))
        thread = threading.Thread(target=_send_until, args=(opened_ones, enough), daemon=True)
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join()


def _send_until(netdevs: list[socket.socket], enough: threading.Event) -> None:
    frame, nonce = TestFrame(asks=False, length=SMALL), os.urandom(NONCE)
    while not enough.wait(_EACH_S):
        for packets in netdevs:
            send(packets, frame.encode(nonce, packets.getsockname()[4]))


@contextlib.contextmanager
def _examining(far: CommandEnd, wire: Wire, session: str | None, seconds: float) -> Iterator[Callable[[], Report]]:
    """Have the far end examine its tunnel. What is given waits for what it found. Raises L2tpError."""
    names = {pair.near.name: pair.far.name for pair in pairs(wire)}
    words = (wire.far.name, *((names[session],) if session in names else ()))
    errors = LastBytes(SAID_MAX)
    with far.running("doctor-end", f"{seconds:g}", *words) as running:
        began = running.stdout.readline(64).strip() == LISTENING

        def found() -> Report:
            text = running.output(errors, OUTPUT_MAX)
            if not began or running.exit_status():
                said = errors.kept.decode("utf-8", "replace").strip()
                raise RefusedError(f"{far.title}: the doctor", said.removeprefix("l2tpctl: ") or "does not answer")
            with understood(far.title):
                return from_json(json.loads(text))

        if not began:
            found()
        yield found


def _without(own: Report, near: TunnelEnd, there: str) -> Report:
    """What was found here of a tunnel that has no other end there."""
    says = f"{there} no tunnel has the addresses, ids or the name of tunnel {near.name}"
    remedy = f"`l2tpctl peer {near.name}` prints what to type there"
    subject = f"tunnel {near.name}"
    missing = Finding(cause="no-far-end", harm=Harm.STOPS, subject=subject, says=says, remedy=remedy)
    return dataclasses.replace(own, findings=in_order([missing, *own.findings]))


def joined(wire: Wire, session: str | None, own: Report, theirs: Report) -> Report:
    """The findings of both ends and of their comparison: what that has found needs no guess from packets.

    session: of this one alone, by its name at the near end. own, theirs: what was found at each end of the tunnel.
    """
    subjects = {f"tunnel {wire.near.name}", f"session {wire.near.name}/{session}"}
    differing = [one for one in compared(wire) if session is None or one.subject in subjects]
    causes = {one.cause for one in differing}
    mirrored = [
        dataclasses.replace(one, subject=f"{wire.there}: {one.subject}")
        for one in theirs.findings
        if one.cause not in causes
    ]
    findings = merged([differing, _without_guesses(own, theirs), mirrored])
    lost = list(_on_the_way(wire, own, theirs))
    if lost and all(one.cause == _SILENCE for one in findings if one.harm is Harm.STOPS):
        findings = [*lost, *(one for one in findings if one.cause != _SILENCE)]
    unseen = (*own.unseen, *(f"{wire.there}: {one}" for one in theirs.unseen))
    return dataclasses.replace(own, findings=in_order(findings), unseen=unseen)


_SILENCE: Final = "silence"


def _without_guesses(own: Report, theirs: Report) -> list[Finding]:
    """What was found here, without what only follows from a tunnel that the far end says does not run there."""
    if not any(one.cause == "not-running" for one in theirs.findings):
        return list(own.findings)
    return [one for one in own.findings if one.cause not in ("refused", _SILENCE)]


def _on_the_way(wire: Wire, own: Report, theirs: Report) -> Iterator[Finding]:
    """Frames that were sent at one end, and did not arrive at the other one."""
    what = f"UDP port {wire.far.local_port}" if wire.far.local_port else "IP protocol 115"
    ways = ((own, theirs, "here", wire.there, wire.near), (theirs, own, wire.there, "here", wire.far))
    for receiver, sender, at, sent_at, tunnel in ways:
        if any(one.cause == "not-sent" for one in sender.findings):
            continue
        if receiver.packets or not receiver.listened_s or receiver.unseen:
            continue
        port = f"UDP port {tunnel.local_port}" if tunnel.local_port else what
        says = f"nothing that is sent {sent_at} arrives {at}, and both ends are up: {port} is dropped on the way"
        remedy = f"let {port} {at} through in the firewalls and NATs between both ends"
        evidence = f"frames were sent {sent_at} for {receiver.listened_s:g} s, and no packet of the tunnel came {at}"
        yield wire.of_tunnel("dropped-on-the-way", Harm.STOPS, says, remedy, (evidence,))


def _all(reports: list[Report], between: list[Finding]) -> Report:
    return Report(
        about=tuple(name for one in reports for name in one.about),
        findings=in_order([found for one in reports for found in one.findings] + between),
        unseen=tuple(dict.fromkeys(text for one in reports for text in one.unseen)),
        untried=tuple(dict.fromkeys(text for one in reports for text in one.untried)),
        listened_s=reports[0].listened_s,
        packets=sum(one.packets for one in reports),
    )
