"""The event loop: which of two handlers is called, by how much there is to do."""

from __future__ import annotations

import os
import time

from l2tpv3.worker.loop import Loop


def called(work_s: float, pause_s: float, times: int) -> list[str]:
    """Who was called for bytes in a pipe, each of which takes `work_s` to handle and comes `pause_s` later."""
    loop, calls = Loop(), list[str]()
    source, sink = os.pipe()

    def handle(who: str) -> None:
        os.read(source, 1)
        calls.append(who)
        end = time.monotonic() + work_s
        while time.monotonic() < end:
            pass
        if len(calls) == times:
            loop.stop()
        elif pause_s:
            loop.at(time.monotonic() + pause_s, lambda _now: put())
        else:
            put()

    def put() -> None:
        os.write(sink, b"x")

    loop.watch(source, lambda _events: handle("many"), lone=lambda _events: handle("lone"))
    put()
    loop.run()
    os.close(source)
    os.close(sink)
    return calls


def test_with_little_to_do_each_is_handled_alone() -> None:
    assert called(0.0, 0.01, 10)[3:] == ["lone"] * 7


def test_with_much_to_do_many_are_handled_together() -> None:
    assert called(0.001, 0.0, 50) == ["many"] * 50


def test_a_burst_after_a_pause_is_soon_handled_together() -> None:
    loop, calls = Loop(), list[str]()
    source, sink = os.pipe()

    def handle(who: str) -> None:
        os.read(source, 1)
        calls.append(who)
        time.sleep(0.0002)
        if len(calls) == 100:
            loop.stop()

    loop.watch(source, lambda _events: handle("many"), lone=lambda _events: handle("lone"))
    loop.at(time.monotonic() + 0.05, lambda _now: None)
    loop.at(time.monotonic() + 0.1, lambda _now: [os.write(sink, bytes(100))].clear())
    loop.run()
    os.close(source)
    os.close(sink)
    assert calls[0] == "lone"
    assert calls.count("many") > 60
    assert calls == sorted(calls)  # once there is much to do, it stays so
