"""Tunnel and session ids, cookies, MAC addresses, names: parse, check, generate.

Parsers take the text a user typed and the name of the option or key it came from; they raise InvalidValueError.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Container, Iterable
from os import urandom

from l2tpv3.errors import InvalidValueError
from l2tpv3.linux.read_file import read_file

ID_MAX = 0xFFFF_FFFF
"""Tunnel (control connection) and session ids have 32 bits; 0 is reserved (RFC 3931 sections 3.1, 4.1)."""

COOKIE_LENGTHS = (0, 4, 8)
"""Cookie lengths in bytes (RFC 3931 section 5.4.4)."""

KEY_BYTES = 32
"""The length of WireGuard's private and public keys (RFC 7748 section 5)."""

IFNAME_MAX = 15
"""Longest netdev name in bytes (IFNAMSIZ - 1, linux/if.h)."""

NAME_MAX, PATH_MAX = 255, 4095
"""Longest name of a file, and longest path, in bytes (linux/limits.h, without the final NUL)."""

IFNAME_PREFIX = "l2tpeth"
"""Prefix of the netdev names that we choose. It is the kernel's own, so scripts find the names that they know."""

SECRET_FILE_MAX = 4096
"""Bytes of a file that holds a cookie or a key at most."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_PRE_SHARED_KEY = re.compile(r"(?!@)[!#-&(->@-\[\]-_a-~]{8,128}")
_HEX = re.compile(r"(0[xX])?([0-9A-Fa-f]+)")
_MAC = re.compile(r"([0-9A-Fa-f]{1,2})([:-][0-9A-Fa-f]{1,2}){5}")


def check_id(value: int, what: str) -> int:
    """`value` if it is a usable tunnel or session id: 1 to 2^32-1. Raises InvalidValueError for another."""
    if not 1 <= value <= ID_MAX:
        raise InvalidValueError(what, f"{value} is not an id", f"give a number from 1 to {ID_MAX}")
    return value


def parse_id(text: str, what: str) -> int:
    """An id from decimal or 0x-hexadecimal text. Raises InvalidValueError where it is none."""
    return check_id(parse_int(text, what), what)


def parse_int(text: str, what: str, remedy: str = "give digits, or 0x and hex digits") -> int:
    """A whole number from decimal or 0x-hexadecimal text. Raises InvalidValueError, with this remedy."""
    try:
        return int(text, 16) if text.lower().startswith("0x") else int(text, 10)
    except ValueError:
        raise InvalidValueError(what, f"{text!r} is not a whole number", remedy) from None


def check_port(value: int, what: str) -> int:
    """`value` if it is a UDP port: 1 to 65535. Raises InvalidValueError for another."""
    if not 1 <= value <= 0xFFFF:
        raise InvalidValueError(what, f"{value} is not a UDP port", "give a number from 1 to 65535")
    return value


def parse_cookie(text: str, what: str) -> bytes:
    """A cookie: `none` (b""), or 8 or 16 hex digits: 4 or 8 bytes, as they go on the wire.

    The text itself never appears in an error: it is a secret.
    Raises InvalidValueError where the text is none of these.
    """
    if text == "none":
        return b""
    match = _HEX.fullmatch(text.replace(":", ""))
    if not match or len(match[2]) not in (8, 16):
        raise InvalidValueError(what, "not a cookie", "give 8 or 16 hex digits, @FILE that holds them, or none")
    return bytes.fromhex(match[2])


def read_cookie(text: str, what: str) -> bytes:
    """Parse a cookie, or read it from a file: `@PATH` keeps the secret out of argv. See parse_cookie.

    Raises InvalidValueError as that does, and where the file can't be read.
    """
    if not text.startswith("@"):
        return parse_cookie(text, what)
    return parse_cookie(_read_secret(text, what, "the hex digits"), f"{what} {text}")


def _read_secret(text: str, what: str, holds: str) -> str:
    """What the file of `@PATH` holds. Raises InvalidValueError, in which nothing of it is."""
    try:
        return read_file(text[1:], SECRET_FILE_MAX).decode("ascii").strip()
    except (OSError, ValueError) as error:  # ValueError: no text in it, or a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else "not text"
        remedy = f"give a readable file with {holds}"
        raise InvalidValueError(what, f"can't read {text[1:]!r}: {reason}", remedy) from error


def check_cookie(value: bytes, what: str) -> bytes:
    """`value` if it has a cookie's length: 0, 4 or 8 bytes. The kernel takes others too, and then drops everything.

    Raises InvalidValueError for another.
    """
    if len(value) not in COOKIE_LENGTHS:
        raise InvalidValueError(what, f"a cookie of {len(value)} bytes", "a cookie has 4 or 8 bytes, or is none")
    return value


def format_cookie(value: bytes) -> str:
    """Text that parse_cookie takes back."""
    return value.hex() if value else "none"


def generate_cookie() -> bytes:
    """A random 64-bit cookie, the length that RFC 3931 section 8.2 asks for against blind insertion."""
    return urandom(8)


def parse_public_key(text: str, what: str) -> bytes:
    """The peer's public key: see parse_key. Raises InvalidValueError as that does."""
    return parse_key(text, what, "give the public-key that `l2tpctl tunnel show` shows at the peer")


def parse_key(text: str, what: str, remedy: str = "give 44 characters of base64, as `wg genkey` prints") -> bytes:
    """A key of WireGuard: 32 bytes in base64, as wg(8) prints it.

    The text itself never appears in an error: it may be a secret. Raises InvalidValueError, with this remedy.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidValueError(what, "not a key of WireGuard", remedy)
    return key


def read_key(text: str, what: str) -> bytes:
    """What parse_key takes, or `@PATH`: a file that holds it, which keeps the secret out of argv.

    Raises InvalidValueError as parse_key does, and where the file can't be read.
    """
    if not text.startswith("@"):
        return parse_key(text, what)
    return parse_key(_read_secret(text, what, "a key"), f"{what} {text}")


def check_key(value: bytes, what: str) -> bytes:
    """`value` if it has a key's length, 32 bytes, and is not all zeros, which WireGuard takes for no key.

    Raises InvalidValueError for another.
    """
    if len(value) != KEY_BYTES or not any(value):
        raise InvalidValueError(what, "not a key of WireGuard", "give one that `wg genkey` or `wg pubkey` prints")
    return value


def parse_pre_shared_key(text: str, what: str) -> bytes:
    """A pre-shared key of IPsec, as other systems take one, too: ASCII without spaces, quotes, \\ and ?.

    The text itself never appears in an error: it is a secret. Raises InvalidValueError.
    """
    if not _PRE_SHARED_KEY.fullmatch(text):
        remedy = "give 8 to 128 ASCII characters, no spaces, quotes, \\ or ?, or @FILE that holds them"
        raise InvalidValueError(what, "not a pre-shared key", remedy)
    return text.encode("ascii")


def read_pre_shared_key(text: str, what: str) -> bytes:
    """What parse_pre_shared_key takes, or `@PATH`: a file that holds it, which keeps the secret out of argv."""
    if not text.startswith("@"):
        return parse_pre_shared_key(text, what)
    return parse_pre_shared_key(_read_secret(text, what, "a pre-shared key"), f"{what} {text}")


def check_pre_shared_key(value: bytes, what: str) -> bytes:
    """`value` if parse_pre_shared_key gives such. Raises InvalidValueError."""
    return parse_pre_shared_key(value.decode("latin-1"), what)


def generate_pre_shared_key() -> bytes:
    """A random pre-shared key, of 256 bits in 43 characters."""
    return base64.urlsafe_b64encode(urandom(32)).rstrip(b"=")


def format_pre_shared_key(value: bytes) -> str:
    """Text that parse_pre_shared_key takes back."""
    return value.decode("ascii")


def format_key(value: bytes) -> str:
    """Text that parse_key takes back."""
    return base64.b64encode(value).decode("ascii")


def generate_key() -> bytes:
    """A new private key. Its fixed bits are set as `wg genkey` does (RFC 7748, section 5)."""
    key = bytearray(urandom(KEY_BYTES))
    key[0] &= 0xF8
    key[31] = key[31] & 0x7F | 0x40
    return bytes(key)


def is_name(text: str) -> bool:
    """Whether parse_name accepts this text."""
    return _NAME.fullmatch(text) is not None


def parse_name(text: str, what: str) -> str:
    """A tunnel's or session's name: a letter or digit, then up to 62 letters, digits, `.`, `_` or `-`.

    Raises InvalidValueError for another text.
    """
    if not _NAME.fullmatch(text):
        problem = f"{text[:80]!r} is longer than 63 characters" if len(text) > 63 else f"{text!r} is not a name"
        raise InvalidValueError(
            what, problem, "begin with a letter or digit, then letters, digits, '.', '_', '-', 63 at most"
        )
    return text


def parse_ifname(text: str, what: str) -> str:
    """A netdev's name, as net/core/dev.c dev_valid_name() has it, and without `%`, which the kernel would expand.

    Raises InvalidValueError for another text.
    """
    size = len(text.encode())
    if size > IFNAME_MAX:
        raise InvalidValueError(what, f"{text!r} has {size} bytes", f"a netdev's name has {IFNAME_MAX} at most")
    if not text or text in (".", "..") or any(c in "/:%" or c.isspace() or not c.isprintable() for c in text):
        raise InvalidValueError(what, f"{text!r} is not a netdev's name", "use letters, digits, '.', '_' and '-'")
    return text


def check_netns(value: str | None, what: str) -> None:
    """Raise InvalidValueError unless `value` can name a network namespace: a name in /run/netns, an absolute path, or
    None.
    """
    if value is None:
        return
    if not value.isprintable() or value in ("", ".", "..") or ("/" in value and not value.startswith("/")):
        remedy = "give a name that `ip netns` lists, or an absolute path"
        raise InvalidValueError(what, f"{value!r} can't name a namespace", remedy)
    longest = max(len(part.encode()) for part in value.split("/"))
    if longest > NAME_MAX or len(value.encode()) > PATH_MAX:
        problem = f"{value[:32]!r}... has {len(value.encode())} bytes"
        raise InvalidValueError(what, problem, f"a name has {NAME_MAX} at most, a path {PATH_MAX}")


def parse_mac(text: str, what: str) -> str:
    """A unicast MAC address, normalised to lower-case `xx:xx:xx:xx:xx:xx`.

    Raises InvalidValueError for another text.
    """
    if not _MAC.fullmatch(text):
        raise InvalidValueError(what, f"{text!r} is not a MAC address", "give six hex bytes, as 02:00:5e:00:53:01")
    octets = [int(part, 16) for part in re.split("[:-]", text)]
    if octets[0] & 1 or not any(octets):
        raise InvalidValueError(what, f"{text!r} is a group or zero address", "give a unicast MAC address")
    return ":".join(f"{octet:02x}" for octet in octets)


def generate_mac(taken: Container[str]) -> str:
    """A random unicast MAC address of the locally administered ones (IEEE 802c), none of `taken`.

    Random as the kernel's own (eth_random_addr()), not derived from a name or the machine's id: those are the same on
    machines that are clones of one another, and both may be on the pseudowire.
    """
    while True:
        octets = bytearray(urandom(6))
        octets[0] = octets[0] & 0xFC | 0x02
        if (mac := octets.hex(":")) not in taken:
            return mac


def free_ifname(taken: Iterable[str]) -> str:
    """The lowest `l2tpethN` not in `taken`."""
    names = set(taken)
    number = 0
    while f"{IFNAME_PREFIX}{number}" in names:
        number += 1
    return f"{IFNAME_PREFIX}{number}"


SECRET_READERS = {
    "private-key": read_key,
    "next-private-key": read_key,
    "pre-shared-key": read_pre_shared_key,
    "tx-cookie": read_cookie,
    "rx-cookie": read_cookie,
}
"""What reads each secret word of a tunnel or session, as it is typed: itself, or @FILE."""
