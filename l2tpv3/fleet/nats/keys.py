"""The keys of a fleet, and of its hosts.

The fleet's key (Ed25519) signs what hosts are to be. Who owns the NATS server does not have it, and so owns no host.
A host has one secret of 32 bytes, of which HKDF (RFC 5869) makes three keys that have nothing to do with each other:
one to log in at the server (an nkey), one that secrets are sealed to (X25519), and one that signs the host's own
status. The server chooses what is signed at login, so the login's key may sign nothing else.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from l2tpv3.errors import InvalidValueError, L2tpError, NotPermittedError, file_error
from l2tpv3.linux.read_file import read_file
from l2tpv3.linux.write_file import write_durably
from l2tpv3.value_class import value_class

KEY: Final = 32
"""Bytes of each key and secret."""

_HOST: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")


def check_host(name: str) -> str:
    """The name of a host, if it can be a part of a NATS subject. Raises InvalidValueError."""
    if not _HOST.fullmatch(name):
        problem = f"{name!r} can't be the name of a host that pulls from NATS"
        raise InvalidValueError("HOST", problem, "use 1 to 63 letters, digits, `-` and `_`")
    return name


def fleet_id(public: bytes) -> str:
    """The id of the fleet that has this public key: 16 hexadecimal digits."""
    return hashlib.sha256(b"l2tpv3 fleet id" + public).hexdigest()[:16]


class FleetKey:
    """The key that signs for a fleet. Whoever has it decides what the fleet's hosts are."""

    def __init__(self, secret: bytes) -> None:
        """secret: KEY bytes."""
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()
        self.fleet = fleet_id(self.public)

    @classmethod
    def draw(cls) -> FleetKey:
        """A new key, which makes a new fleet."""
        return cls(secrets.token_bytes(KEY))

    def sign(self, message: bytes) -> bytes:
        """The signature of a message (RFC 8032), 64 bytes."""
        return self._key.sign(message)

    def write(self, path: Path) -> None:
        """Write the key to a file, mode 0600. Raises NotPermittedError, RefusedError."""
        write_durably(path, self._key.private_bytes_raw())

    @classmethod
    def read(cls, path: Path) -> FleetKey:
        """The key in a file. Raises L2tpError where it can't be read, others may read it, or it is no key."""
        return cls(read_secret(path))


def read_secret(path: Path) -> bytes:
    """The KEY bytes of a file that nobody but its owner may read. Raises L2tpError."""
    try:
        mode = path.stat().st_mode
        content = read_file(path, KEY)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if mode & 0o077:
        raise NotPermittedError(str(path), "others than its owner may use this key", f"`chmod 600 {path}`")
    if len(content) != KEY:
        raise InvalidValueError(str(path), "is not a key of a fleet", "copy it again from where it was made")
    return content


def _unreadable(path: Path, error: OSError | ValueError) -> L2tpError:
    if isinstance(error, OSError):
        return file_error(path, "read the key", error)
    return InvalidValueError("PATH", "is not a file's name", "give another one")


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the owner of this Ed25519 key signed the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@value_class(frozen=True, slots=True)
class HostIdentity:
    """What others know of a host. login: its public nkey. seal, status: public keys."""

    name: str
    login: str
    seal: bytes
    status: bytes

    def to_words(self) -> dict[str, Any]:
        """JSON-ready; from_words takes it back."""
        return {"name": self.name, "login": self.login, "seal": self.seal.hex(), "status": self.status.hex()}

    @classmethod
    def from_words(cls, words: Any) -> HostIdentity:
        """The inverse of to_words. Raises ValueError, KeyError, TypeError."""
        seal, status = bytes.fromhex(words["seal"]), bytes.fromhex(words["status"])
        X25519PublicKey.from_public_bytes(seal)
        Ed25519PublicKey.from_public_bytes(status)
        return cls(check_host(words["name"]), str(words["login"]), seal, status)


class HostKeys:
    """The keys that follow from a host's secret."""

    def __init__(self, secret: bytes) -> None:
        """secret: KEY bytes."""
        self.seal = X25519PrivateKey.from_private_bytes(_derived(secret, b"seal"))
        self._status = Ed25519PrivateKey.from_private_bytes(_derived(secret, b"status"))
        self._login = _derived(secret, b"login")

    def login_seed(self) -> str:
        """The seed of the nkey by which the host logs in at the server. Raises UnavailableError without `nkeys`."""
        return nkey_seed(self._login)

    def sign(self, message: bytes) -> bytes:
        """The signature of the host's status."""
        return self._status.sign(message)

    def identity(self, name: str) -> HostIdentity:
        """What others are to know of the host. Raises UnavailableError without the package `nkeys`."""
        seal, status = self.seal.public_key(), self._status.public_key()
        return HostIdentity(name, nkey_public(self._login), seal.public_bytes_raw(), status.public_bytes_raw())


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY, salt=None, info=b"l2tpv3 fleet host " + purpose).derive(secret)


def nkey_seed(secret: bytes) -> str:
    """A user's seed as NATS writes it. Raises UnavailableError without the package `nkeys`."""
    from l2tpv3.fleet.nats.packages import nkeys

    module = nkeys()
    return str(module.encode_seed(secret, module.PREFIX_BYTE_USER).decode())


def nkey_public(secret: bytes) -> str:
    """A user's public nkey (`U...`). Raises UnavailableError without the package `nkeys`."""
    from l2tpv3.fleet.nats.packages import nkeys

    pair = nkeys().from_seed(bytearray(nkey_seed(secret).encode()))
    return str(pair.public_key.decode())
