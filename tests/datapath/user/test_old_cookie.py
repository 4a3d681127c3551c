"""The cookie that a session expected before is taken for a while, and no longer; another one never is."""

from __future__ import annotations

import socket
from collections.abc import Callable

from l2tpv3.datapath.user.forwarding.sender import TunnelSender
from l2tpv3.datapath.user.forwarding.session import OLD_COOKIE_S, WorkerSession
from l2tpv3.datapath.user.heard import Heard
from l2tpv3.datapath.user.settings import SessionSettings
from l2tpv3.wire.data import Framing, encode
from tests.datapath.user.test_parts import Recorder

OLD, NEW, NEWER, WRONG = (bytes([number]) * 8 for number in range(1, 5))


class Cookies:
    """A session, and what it has to be told later."""

    def __init__(self) -> None:
        self.later: list[tuple[float, Callable[[float], None]]] = []
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            outlet = TunnelSender(sock, Heard(lambda: 0), segment=False, batched=False)
        self.session = WorkerSession(self._settings(OLD), "udp", Recorder(), outlet, self._schedule)

    def _schedule(self, when: float, call: Callable[[float], None]) -> None:
        self.later.append((when, call))

    @staticmethod
    def _settings(cookie: bytes) -> SessionSettings:
        return SessionSettings("s", 7, 7, "sink", OLD, cookie, "default", *(False, False), 0, 1500)

    def expect(self, cookie: bytes) -> None:
        self.session.configure(self._settings(cookie))

    def takes(self, cookie: bytes) -> bool:
        packet = encode(Framing("udp", len(cookie), "default"), 7, bytes(60), cookie)
        before = self.session.rx_packets, self.session.rx_cookie_discards
        self.session.receive(packet, memoryview(packet), len(packet))
        after = self.session.rx_packets, self.session.rx_cookie_discards
        assert sum(after) == sum(before) + 1, "taken or counted"
        return after[0] > before[0]


def test_the_old_cookie_is_taken_for_a_while() -> None:
    one = Cookies()
    assert one.takes(OLD) and not one.takes(NEW) and not one.later
    one.expect(NEW)
    assert one.takes(NEW) and one.takes(OLD) and not one.takes(WRONG)
    ((when, forget),) = one.later
    forget(when)
    assert one.takes(NEW) and not one.takes(OLD)
    assert OLD_COOKIE_S > 30, "longer than a change waits for its confirmation"


def test_of_two_changes_in_a_row_the_last_counts() -> None:
    one = Cookies()
    one.expect(NEW)
    one.expect(NEWER)
    assert one.takes(NEWER) and one.takes(NEW) and not one.takes(OLD)
    (_, first), (_, second) = one.later
    first(0.0)
    assert one.takes(NEW), "its time is not over"
    second(0.0)
    assert not one.takes(NEW) and one.takes(NEWER)


def test_a_cookie_of_another_length_replaces_the_old_one_at_once() -> None:
    one = Cookies()
    one.expect(b"1234")
    assert not one.later and one.takes(b"1234") and not one.takes(OLD)
    one.expect(b"")
    assert not one.later
