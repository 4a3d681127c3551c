"""Keys of WireGuard, and what they come to."""

from __future__ import annotations

from ipaddress import IPv6Network

import pytest

from l2tpv3.errors import InvalidValueError
from l2tpv3.model import ids, wireguard
from l2tpv3.model.spec import Encrypt, TunnelSpec, parse_address


def test_a_public_key_is_the_one_of_rfc_7748() -> None:
    """Section 5.2: after one iteration, which is the scalar 9 times the base point."""
    expected = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
    assert wireguard.public_key((9).to_bytes(32, "little")).hex() == expected


def test_addresses_inside_are_unique_local_and_each_end_s_own() -> None:
    a, b = ids.generate_key(), ids.generate_key()
    public_a, public_b = wireguard.public_key(a), wireguard.public_key(b)
    here = _spec(private_key=a, peer_public_key=public_b)
    there = _spec(private_key=b, peer_public_key=public_a)
    assert (here.inner_local, here.inner_remote) == (there.inner_remote, there.inner_local)
    assert here.inner_local in IPv6Network("fd00::/8") and here.inner_local != here.inner_remote
    assert _spec(private_key=a).inner_remote not in (here.inner_local, here.inner_remote)


@pytest.mark.parametrize(
    "text", ["", "abc", "A" * 44, "AAAA" * 11, "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBm", "ä" * 44]
)
def test_what_is_no_key_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        TunnelSpec.from_words({"name": "t", "remote": "192.0.2.1", "encrypt": "wireguard", "private-key": text})
    assert refused.value.field == "private-key" and (not text or text not in str(refused.value))


def test_the_peer_s_key_is_not_this_end_s_own() -> None:
    private = ids.generate_key()
    with pytest.raises(InvalidValueError, match="own key"):
        _spec(private_key=private, peer_public_key=wireguard.public_key(private))


def test_keys_are_read_as_they_are_written() -> None:
    spec = _spec(private_key=ids.generate_key(), listen_port=1, peer_listen_port=2)
    assert TunnelSpec.from_words(spec.to_words()) == spec
    assert "private-key" not in spec.to_words(secrets=False)
    assert spec.private_key is not None and ids.format_key(spec.private_key) not in repr(spec)


def _spec(**fields: object) -> TunnelSpec:
    return TunnelSpec(name="t", remote=parse_address("192.0.2.1", ""), encrypt=Encrypt.WIREGUARD, **fields)  # type: ignore[arg-type]
