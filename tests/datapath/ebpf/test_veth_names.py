"""The hidden netdevs' names: short enough, each its own, and read back as nothing but what made them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from l2tpv3.datapath.ebpf import veth
from tests.properties import MANY

IDS = st.one_of(st.integers(1, 2**32 - 1), st.integers(1, 99999), st.sampled_from([1, 9, 99999, 2**31, 2**32 - 1]))
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("tunnel", "session", "lower"),
    [
        (1, 2, "le1-2"),
        (100, 4097, "le100-4097"),
        (999999, 99999, "le999999-99999"),
        # 15 characters with both ids in digits; one more and it is 64 bits in 36 digits
        (999999, 999999, "le999999-999999"),
        (1, 4294967295, "le1-4294967295"),
        (10, 4294967295, "le10-4294967295"),
        (2**32 - 1, 2**32 - 1, "le3w5e11264sgsf"),
    ],
)
def test_what_they_are_called(tunnel: int, session: int, lower: str) -> None:
    assert veth.lower_name(tunnel, session) == lower
    assert veth.slow_name(tunnel, session) == "lt" + lower[2:]
    assert veth.ids_of_lower(lower) == (tunnel, session)


@MANY
@given(IDS, IDS)
@example(2**32 - 1, 2**32 - 1)
@example(1, 2**32 - 1)
@example(2**32 - 1, 1)
@example(100, 2**32 - 1)
def test_ids_come_back_from_a_name_that_the_kernel_takes(tunnel: int, session: int) -> None:
    lower, slow = veth.lower_name(tunnel, session), veth.slow_name(tunnel, session)
    assert re.fullmatch(r"le(\d+-\d+|[0-9a-z]{13})", lower)
    assert len(lower) <= 15
    assert slow == "lt" + lower.removeprefix("le")
    assert veth.ids_of_lower(lower) == (tunnel, session)
    assert veth.ids_of_lower(slow) is None


@MANY
@given(IDS, IDS, IDS, IDS)
def test_no_two_sessions_have_one_name(tunnel: int, session: int, other_tunnel: int, other_session: int) -> None:
    same = (tunnel, session) == (other_tunnel, other_session)
    assert (veth.lower_name(tunnel, session) == veth.lower_name(other_tunnel, other_session)) == same


@pytest.mark.parametrize(
    "foreign",
    [
        "", "le", "le-", "le1", "le1-", "le-1", "lea-b", "le01-2", "le1-02", "le+1-2", "le1_0-2", "le 1-2", "le1-2 ",
        "le1-2-3", "le1-2.100", "LE1-2", "lo", "eth0", "lt1-2", "pw1", "lenovo", "level-crossing", "le1--2",
        "le\u0661-2",  # a digit, elsewhere
        "lezzzzzzzzzzzzz",  # more than 64 bits
        "le0000000000001", "le3W5E11264SGSF", "le+w5e11264sgsf",
    ],
)  # fmt: skip
def test_others_netdevs_are_nobodys(foreign: str) -> None:
    assert veth.ids_of_lower(foreign) is None


@MANY
@given(st.text(max_size=16).map("le".__add__) | st.text(DIGITS, min_size=13, max_size=13).map("le".__add__))
def test_what_is_read_is_what_would_be_made(ifname: str) -> None:
    ids = veth.ids_of_lower(ifname)
    assert ids is None or veth.lower_name(*ids) == ifname
