"""Ids, cookies, names and MAC addresses: what is taken, what is refused and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.errors import InvalidValueError
from l2tpv3.model import ids
from tests.properties import MANY


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("0x10", 16), ("4294967295", 2**32 - 1)])
def test_ids_are_decimal_or_hexadecimal(text: str, value: int) -> None:
    assert ids.parse_id(text, "--id") == value


@pytest.mark.parametrize("text", ["0", "-1", "4294967296", "", "x", "1.5", "0x", "０ｘ"])
def test_what_is_no_id_is_refused_with_its_option(text: str) -> None:
    with pytest.raises(InvalidValueError, match="--id") as caught:
        ids.parse_id(text, "--id")
    assert caught.value.exit_code == 1


@MANY
@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=8, max_size=8) | st.just(b""))
def test_a_cookie_survives_its_text(cookie: bytes) -> None:
    assert ids.parse_cookie(ids.format_cookie(cookie), "--tx-cookie") == cookie


def test_a_cookie_is_in_wire_order() -> None:
    assert ids.parse_cookie("0x0123456789abcdef", "--tx-cookie") == bytes.fromhex("0123456789abcdef")


@pytest.mark.parametrize("text", ["", "ab", "0123456", "0123456789abcdef0", "zzzzzzzz", "0x", "@", "@/nonexistent"])
def test_a_bad_cookie_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        ids.read_cookie(text, "--tx-cookie")
    if text and not text.startswith("@"):
        assert text not in str(caught.value)


def test_a_cookie_comes_from_a_file_only_where_that_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "cookie"
    path.write_text("0123456789abcdef\n")
    assert ids.read_cookie(f"@{path}", "--tx-cookie") == bytes.fromhex("0123456789abcdef")
    with pytest.raises(InvalidValueError):
        ids.parse_cookie(f"@{path}", "tx-cookie")


def test_generated_cookies_are_long_and_differ() -> None:
    cookies = {ids.generate_cookie() for _ in range(100)}
    assert len(cookies) == 100
    assert {len(cookie) for cookie in cookies} == {8}


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 9])
def test_lengths_that_the_kernel_takes_but_the_rfc_does_not(length: int) -> None:
    with pytest.raises(InvalidValueError, match=str(length)):
        ids.check_cookie(bytes(length), "--rx-cookie")


@pytest.mark.parametrize("name", ["siteb", "a", "A-1.b_c", "9", "x" * 63])
def test_names(name: str) -> None:
    assert ids.parse_name(name, "tunnel") == name


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "kernel:1", "x" * 64, "é"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidValueError):
        ids.parse_name(name, "tunnel")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a:b", "a b", "sixteen-letters-", "l2tp%d", "éééééééé"])
def test_what_is_no_netdev_name(name: str) -> None:
    with pytest.raises(InvalidValueError):
        ids.parse_ifname(name, "--ifname")


@pytest.mark.parametrize(("text", "mac"), [("02:00:5E:0:53:1", "02:00:5e:00:53:01"), ("02-00-5e-00-53-01",) * 2])
def test_mac_addresses_are_normalised(text: str, mac: str) -> None:
    assert ids.parse_mac(text, "--mac") == mac.replace("-", ":")


@pytest.mark.parametrize("text", ["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "02:00:5e", "x"])
def test_group_and_zero_mac_addresses_are_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        ids.parse_mac(text, "--mac")


def test_free_netdev_names_are_the_kernels_own() -> None:
    assert ids.free_ifname(["l2tpeth0", "eth0", "l2tpeth2"]) == "l2tpeth1"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\n", "x" * 256, "é" * 128, "/run/" + "x" * 256, "/a" * 2050])
def test_what_can_name_no_namespace(name: str) -> None:
    with pytest.raises(InvalidValueError):
        ids.check_netns(name, "--netns")
    ids.check_netns("/proc/1/ns/net", "--netns")
    ids.check_netns("x" * 255, "--netns")
    ids.check_netns("/run/" + "x" * 255, "--netns")
    ids.check_netns(None, "--netns")
