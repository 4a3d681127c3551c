"""Classic BPF programs: against tcpdump's own listings, and in the kernel, on a socket."""

from __future__ import annotations

import socket
from struct import Struct

import pytest

from l2tpv3.linux.bpf.classic import Program, attach_filter
from tests.waiting import PATIENCE_S

_instruction = Struct("=HBBI")


def _as_listed(program: Program) -> list[tuple[int, ...]]:
    return list(_instruction.iter_unpack(program.assemble()))


def test_a_filter_of_ip_and_udp_is_what_tcpdump_makes_of_it() -> None:
    """`tcpdump -dd -y EN10MB 'ip and udp port 53'` without the part for IPv6."""
    program = Program()
    program.load(2, 12)
    program.jump("==", 0x800, otherwise="drop")
    program.load(1, 23)
    program.jump("==", 17, otherwise="drop")
    program.load(2, 20)
    program.jump("&", 0x1FFF, then="drop")
    program.set_x_to_ipv4_header(14)
    program.load_at_x(2, 14)
    program.jump("==", 53, then="accept")
    program.load_at_x(2, 16)
    program.jump("==", 53, otherwise="drop")
    program.label("accept")
    program.give(0x40000)
    program.label("drop")
    program.give(0)
    assert _as_listed(program) == [
        (0x28, 0, 0, 0x0000000C),
        (0x15, 0, 10, 0x00000800),
        (0x30, 0, 0, 0x00000017),
        (0x15, 0, 8, 0x00000011),
        (0x28, 0, 0, 0x00000014),
        (0x45, 6, 0, 0x00001FFF),
        (0xB1, 0, 0, 0x0000000E),
        (0x48, 0, 0, 0x0000000E),
        (0x15, 2, 0, 0x00000035),
        (0x48, 0, 0, 0x00000010),
        (0x15, 0, 1, 0x00000035),
        (0x06, 0, 0, 0x00040000),
        (0x06, 0, 0, 0x00000000),
    ]


def test_a_jump_without_condition_says_how_far_in_k() -> None:
    program = Program()
    program.go("end")
    program.mask(0x0F)
    program.label("end")
    program.give(1)
    assert _as_listed(program) == [(0x05, 0, 0, 1), (0x54, 0, 0, 0x0F), (0x06, 0, 0, 1)]


def test_a_label_that_there_is_not() -> None:
    program = Program()
    program.jump("==", 0, then="nowhere")
    with pytest.raises(KeyError, match="nowhere"):
        program.assemble()


def test_a_socket_receives_what_the_program_lets_pass() -> None:
    """A filter of a UDP socket sees its datagrams from the UDP header on (net/core/filter.c)."""
    program = Program()
    program.load(1, 8)
    program.jump("==", ord("y"), otherwise="drop")
    program.give(0xFFFF)
    program.label("drop")
    program.give(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(PATIENCE_S)
        attach_filter(receiver, program.assemble())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for text in (b"no", b"yes", b"nor this", b"yet"):
                sender.sendto(text, receiver.getsockname())
        assert [receiver.recv(10), receiver.recv(10)] == [b"yes", b"yet"]


def test_a_program_that_the_kernel_refuses_is_an_error() -> None:
    program = Program()
    program.load(4, 0)  # does not end in a return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(OSError, match="Invalid argument"):
        attach_filter(sock, program.assemble())
