"""A host's desired state as it lies in the bucket: signed by the fleet, its text sealed to that host alone.

Sealed: HPKE (RFC 9180) of X25519, HKDF-SHA256 and ChaCha20-Poly1305, by `cryptography`. What it is sealed for (fleet,
host, serial number) is bound into the seal.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Collection
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from l2tpv3.errors import InvalidValueError
from l2tpv3.fleet.nats.decision import CHANGE_MAX, Decision
from l2tpv3.fleet.nats.keys import FleetKey, HostIdentity, HostKeys
from l2tpv3.fleet.nats.signed import VALUE_MAX, check, parse, serial_of, sign, text_of
from l2tpv3.value_class import value_class

TEXT_MAX: Final = 4 << 20
"""Bytes of a host's file at most, before it is deflated."""
CONFIRM_MIN_S: Final = 1.0
CONFIRM_MAX_S: Final = 3600.0
"""How long a host may wait for the decision."""

_KIND: Final = "desired"
_FORMAT: Final = 2
"""The version of what a key holds. Hosts refuse any other one, and say so."""
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_VERSIONS: Final = "install the same version of l2tpv3 on all hosts of the fleet"


@value_class(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """What one host is to be by one change.

    serial, change: see Decision. confirm_s: how long the host may have it without a decision, until it goes back.
    wires: the pseudowires that the host tests meanwhile, as TUNNEL/SESSION. signed: as it lies in the bucket, the text
    sealed in it.
    """

    host: str
    serial: int
    change: str
    confirm_s: float
    sealed: bytes
    signed: dict[str, str]
    wires: tuple[str, ...] = ()

    @classmethod
    def make(
        cls,
        text: str,
        host: HostIdentity,
        key: FleetKey,
        *,
        serial: int,
        change: str,
        confirm_s: float,
        wires: Collection[str] = (),
    ) -> DesiredState:
        """Seal and sign a host's file. Raises InvalidValueError for one that is too long."""
        if len(text.encode()) > TEXT_MAX:
            raise InvalidValueError(f"host {host.name}", f"its file has more than {TEXT_MAX} bytes", "leave some out")
        public = X25519PublicKey.from_public_bytes(host.seal)
        info = _info(key.fleet, host.name, serial)
        sealed = _SUITE.encrypt(zlib.compress(text.encode(), 6), public, info=info)
        statement = {
            "fleet": key.fleet,
            "host": host.name,
            "serial": serial,
            "change": change,
            "confirm_s": confirm_s,
            "wires": list(wires),
            "sealed": base64.b64encode(sealed).decode(),
        }
        signed = sign(_KIND, statement, key.sign)
        return cls(
            host=host.name,
            serial=serial,
            change=change,
            confirm_s=confirm_s,
            sealed=sealed,
            signed=signed,
            wires=tuple(wires),
        )

    @classmethod
    def checked(cls, signed: object, public: bytes, fleet: str, host: str) -> DesiredState:
        """One that the fleet's key signed for this host. Raises InvalidValueError."""
        subject = f"the desired state of {host}"
        statement = check(_KIND, signed, public, fleet, subject)
        if statement.get("host") != host:
            problem = f"is that of another host ({str(statement.get('host'))[:64]})"
            raise InvalidValueError(subject, problem, "look who can write to the server")
        try:
            wait = statement["confirm_s"]
            if not isinstance(wait, int | float) or not CONFIRM_MIN_S <= wait <= CONFIRM_MAX_S:
                raise ValueError("no time to wait for the decision")
            assert isinstance(signed, dict)  # or check() had refused it
            return cls(
                host=host,
                serial=serial_of(statement),
                change=text_of(statement, "change", CHANGE_MAX),
                confirm_s=float(wait),
                sealed=base64.b64decode(text_of(statement, "sealed", VALUE_MAX), validate=True),
                signed={"statement": signed["statement"], "signature": signed["signature"]},
                wires=_wires(statement["wires"]),
            )
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise InvalidValueError(subject, f"can't be understood: {error}", _VERSIONS) from error

    def text(self, keys: HostKeys, fleet: str) -> str:
        """The host's file. Raises InvalidValueError for what was sealed to other keys, or is too long."""
        subject = f"the desired state of {self.host}"
        try:
            packed = _SUITE.decrypt(self.sealed, keys.seal, info=_info(fleet, self.host, self.serial))
            inflating = zlib.decompressobj()
            text = inflating.decompress(packed, TEXT_MAX)
            if inflating.unconsumed_tail or not inflating.eof:
                raise ValueError("too long, or cut")
            return text.decode()
        except InvalidTag as error:
            problem = "was not sealed to this host's keys"
            raise InvalidValueError(subject, problem, "enroll the host again: `l2tpctl fleet enroll`") from error
        except (ValueError, zlib.error) as error:
            raise InvalidValueError(subject, "what was sealed is no file of a host", _VERSIONS) from error

    def is_decided_by(self, decision: Decision | None) -> bool:
        """Whether the decision is about the change that this state is of."""
        return decision is not None and (decision.serial, decision.change) == (self.serial, self.change)


@value_class(frozen=True, slots=True, kw_only=True)
class HostKey:
    """What a host's key in the bucket holds.

    base: the state that was committed last. decision: about it, so that nobody can put there what was never committed.
    next: the state of a change that began later; None where there is none.
    """

    base: DesiredState | None
    decision: Decision | None
    next: DesiredState | None

    def value(self, key: FleetKey) -> bytes:
        """The bytes for the bucket. Raises InvalidValueError where they are too many."""
        base = None
        if self.base is not None and self.decision is not None:
            base = {"desired": self.base.signed, "decision": self.decision.signed(key)}
        words = {"format": _FORMAT, "base": base, "next": None if self.next is None else self.next.signed}
        value = json.dumps(words, separators=(",", ":")).encode()
        if len(value) > VALUE_MAX:
            host = (self.next or self.base or _NOBODY).host
            problem = f"its state takes {len(value)} bytes in the bucket, and {VALUE_MAX} is the most"
            raise InvalidValueError(f"host {host}", problem, "give the host fewer tunnels")
        return value

    @classmethod
    def checked(cls, value: bytes, public: bytes, fleet: str, host: str) -> HostKey:
        """What the fleet's key signed for this host. Raises InvalidValueError."""
        subject = f"the desired state of {host}"
        words: dict[str, Any] = parse(value, subject)
        if words.get("format") != _FORMAT:
            raise InvalidValueError(subject, f"has the unknown format {str(words.get('format'))[:16]}", _VERSIONS)
        base = decision = None
        if isinstance(words.get("base"), dict):
            base = DesiredState.checked(words["base"].get("desired"), public, fleet, host)
            decision = Decision.checked(words["base"].get("decision"), public, fleet)
            if not decision.commit or not base.is_decided_by(decision):
                problem = "its base was never committed"
                raise InvalidValueError(subject, problem, "look who can write to the server")
        following = None
        if words.get("next") is not None:
            following = DesiredState.checked(words["next"], public, fleet, host)
        return cls(base=base, decision=decision, next=following)


_NOBODY: Final = DesiredState(host="", serial=1, change="", confirm_s=1.0, sealed=b"", signed={})


def _wires(value: object) -> tuple[str, ...]:
    """Raises ValueError."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("no list of pseudowires")
    return tuple(value)


def _info(fleet: str, host: str, serial: int) -> bytes:
    return f"l2tpv3 fleet desired\0{fleet}\0{host}\0{serial}".encode()
