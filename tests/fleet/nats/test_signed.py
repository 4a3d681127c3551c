"""What the fleet signs and seals for a host, and what of it a host refuses."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.errors import InvalidValueError, NotFoundError, NotPermittedError
from l2tpv3.fleet.nats.decision import Decision
from l2tpv3.fleet.nats.desired import TEXT_MAX, DesiredState, HostKey
from l2tpv3.fleet.nats.keys import KEY, FleetKey, HostIdentity, HostKeys, check_host
from l2tpv3.fleet.nats.signed import VALUE_MAX
from tests.properties import SOME

_FLEET, _OTHER_FLEET = FleetKey(b"f" * KEY), FleetKey(b"o" * KEY)
_HOST, _OTHER_HOST = HostKeys(b"a" * KEY), HostKeys(b"b" * KEY)
_TEXT = '[tunnel.b]\nremote = "192.0.2.1"\n'


def _state(text: str = _TEXT, *, host: str = "a", key: FleetKey = _FLEET, serial: int = 7) -> DesiredState:
    keys = _HOST if host == "a" else _OTHER_HOST
    return DesiredState.make(text, keys.identity(host), key, serial=serial, change="x", confirm_s=60.0)


def _value(key: FleetKey = _FLEET, **settings: Any) -> bytes:
    return HostKey(base=None, decision=None, next=_state(key=key, **settings)).value(key)


def _checked(value: bytes) -> HostKey:
    return HostKey.checked(value, _FLEET.public, _FLEET.fleet, "a")


def test_a_host_reads_its_own_state() -> None:
    found = _checked(_value())
    assert found.base is None and found.next is not None
    assert found.next.text(_HOST, _FLEET.fleet) == _TEXT
    assert (found.next.serial, found.next.change, found.next.confirm_s) == (7, "x", 60.0)


def test_nothing_of_the_text_can_be_read_in_the_bucket() -> None:
    assert b"192.0.2.1" not in _value() and zlib.compress(_TEXT.encode(), 6)[2:10] not in _value()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (_value(_OTHER_FLEET), f"is of the fleet {_OTHER_FLEET.fleet}"),
        (_value(host="b"), "is that of another host \\(b\\)"),
        (_value()[:-9], "it was cut or altered"),
        (_value().replace(b'serial\\":7', b'serial\\":8'), "its signature is wrong"),
        (b"[]", "is no JSON object"),
        (b"{" * 10_000, "is no JSON"),
        (b" " * (VALUE_MAX + 1), "has more than"),
        (b'{"format":1}', "unknown format"),
        (b'{"format":2,"next":{"statement":"{}","signature":5}}', "is not a signed statement"),
        (b'{"format":2,"next":{"statement":"{}","signature":""}}', "its signature is wrong"),
    ],
)
def test_what_a_host_refuses(value: bytes, why: str) -> None:
    with pytest.raises(InvalidValueError, match=why):
        _checked(value)


def test_a_state_sealed_to_another_host_is_not_read_even_if_it_is_signed() -> None:
    with pytest.raises(InvalidValueError, match="was not sealed to this host's keys"):
        _state().text(_OTHER_HOST, _FLEET.fleet)


def test_the_seal_is_bound_to_the_serial_number() -> None:
    old, new = _state(serial=7), _state(serial=8)
    moved = DesiredState(
        host="a", serial=new.serial, change="x", confirm_s=60.0, sealed=old.sealed, signed=new.signed
    )  # fmt: skip
    with pytest.raises(InvalidValueError, match="was not sealed"):
        moved.text(_HOST, _FLEET.fleet)


def test_a_text_that_is_too_long_is_refused_at_both_ends() -> None:
    with pytest.raises(InvalidValueError, match="its file has more than"):
        _state("#" * (TEXT_MAX + 1))


@pytest.mark.parametrize("commit", [True, False])
def test_a_decision_is_read_again(commit: bool) -> None:  # noqa: FBT001 - pytest gives it
    decision = Decision(serial=7, change="x", commit=commit)
    assert Decision.checked(decision.signed(_FLEET), _FLEET.public, _FLEET.fleet) == decision
    with pytest.raises(InvalidValueError, match="is of the fleet"):
        Decision.checked(decision.signed(_OTHER_FLEET), _FLEET.public, _FLEET.fleet)


def test_a_statement_is_not_taken_for_one_of_another_kind() -> None:
    with pytest.raises(InvalidValueError, match="its signature is wrong"):
        Decision.checked(_state().signed, _FLEET.public, _FLEET.fleet)


@pytest.mark.parametrize(
    "decision",
    [
        Decision(serial=7, change="x", commit=False),
        Decision(serial=8, change="x", commit=True),
        Decision(serial=7, change="y", commit=True),
    ],
)
def test_a_base_that_was_never_committed_is_refused(decision: Decision) -> None:
    value = HostKey(base=_state(), decision=decision, next=None).value(_FLEET)
    with pytest.raises(InvalidValueError, match="its base was never committed"):
        _checked(value)


@SOME
@given(st.binary(max_size=200), st.integers(min_value=0))
def test_an_altered_value_raises_nothing_else(junk: bytes, place: int) -> None:
    value = bytearray(_value())
    place %= len(value)
    value[place : place + len(junk)] = junk
    try:
        found = _checked(bytes(value))
    except InvalidValueError:
        return
    assert found.next is None or found.next.text(_HOST, _FLEET.fleet) == _TEXT


_LEAVES = st.none() | st.booleans() | st.integers() | st.text()


@SOME
@given(st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_signed_nonsense_raises_nothing_else(nonsense: Any) -> None:
    from l2tpv3.fleet.nats.signed import sign

    statement = {"fleet": _FLEET.fleet, "host": "a", "serial": nonsense, "change": nonsense, "confirm_s": nonsense}
    value = json.dumps({"format": 2, "next": sign("desired", statement, _FLEET.sign)}).encode()
    with pytest.raises(InvalidValueError):
        _checked(value)


def test_a_host_is_known_by_its_public_keys_alone() -> None:
    identity = _HOST.identity("a")
    assert HostIdentity.from_words(json.loads(json.dumps(identity.to_words()))) == identity
    assert identity.login.startswith("U") and _HOST.login_seed().startswith("SU")
    assert len({identity.seal, identity.status, _OTHER_HOST.identity("a").seal}) == 3


@pytest.mark.parametrize("name", ["", "a.b", "a b", "*", ">", "a" * 64, "\u00e4", "a\n"])
def test_a_name_that_would_be_another_subject_is_refused(name: str) -> None:
    with pytest.raises(InvalidValueError, match="can't be the name of a host"):
        check_host(name)


def test_the_fleets_key_is_in_a_file_of_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    _FLEET.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert FleetKey.read(path).public == _FLEET.public
    path.chmod(0o640)
    with pytest.raises(NotPermittedError, match="others than its owner"):
        FleetKey.read(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(InvalidValueError, match="is not a key"):
        FleetKey.read(path)
    with pytest.raises(NotFoundError):
        FleetKey.read(tmp_path / "none")
