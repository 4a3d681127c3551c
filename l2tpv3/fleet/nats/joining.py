"""The line by which a host joins a fleet, and what the host keeps of it.

    l2tpv3-fleet:1:HOST:KEYS:URL      KEYS: base64url of the host's secret, the fleet's public key and a checksum

The line holds the host's secret: whoever reads it can be that host towards the fleet.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from pathlib import Path
from typing import Any, Final

from l2tpv3.errors import ExistsError, InvalidValueError, NotFoundError, RefusedError, file_error
from l2tpv3.fleet.nats.keys import KEY, HostKeys, check_host
from l2tpv3.linux.read_file import read_file
from l2tpv3.linux.write_file import remove_durably, write_durably
from l2tpv3.value_class import value_class

FOLDER: Final = "fleet-agent"
"""Name of the folder in the state directory."""
LINE_MAX: Final = 1024
"""Characters of a line at most."""

_PREFIX: Final = "l2tpv3-fleet"
_SUM: Final = 8
_AGAIN: Final = "have `l2tpctl fleet enroll` print another one, and take all of it"
_FILE: Final = "membership.json"


@value_class(frozen=True, slots=True, kw_only=True)
class Membership:
    """What a host has of its fleet. secret: see HostKeys. public: the fleet's key. url: of its servers."""

    host: str
    secret: bytes
    public: bytes
    url: str

    @classmethod
    def draw(cls, host: str, public: bytes, url: str) -> Membership:
        """A new secret for a host. Raises InvalidValueError for its name, or for the URL."""
        return cls(host=check_host(host), secret=secrets.token_bytes(KEY), public=public, url=check_urls(url))

    @property
    def keys(self) -> HostKeys:
        """The host's keys."""
        return HostKeys(self.secret)

    def line(self) -> str:
        """The membership as a line."""
        content = self.secret + self.public
        keys = base64.urlsafe_b64encode(content + self._checksum()).decode().rstrip("=")
        return f"{_PREFIX}:1:{self.host}:{keys}:{self.url}"

    @classmethod
    def of_line(cls, line: str) -> Membership:
        """The membership in a line. Raises InvalidValueError, which shows nothing of the line."""
        parts = line.strip().split(":", 4)
        if len(line) > LINE_MAX or len(parts) != 5 or parts[0] != _PREFIX:
            raise InvalidValueError("the line", f"is not one that begins with {_PREFIX}:", _AGAIN)
        if parts[1] != "1":
            raise InvalidValueError("the line", "is of another version", "install the same version on all hosts")
        try:
            keys = base64.b64decode(parts[3] + "=" * (-len(parts[3]) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error) as error:
            raise InvalidValueError("the line", "was cut or altered", _AGAIN) from error
        found = cls(host=check_host(parts[2]), secret=keys[:KEY], public=keys[KEY : 2 * KEY], url=check_urls(parts[4]))
        if len(keys) != 2 * KEY + _SUM or found._checksum() != keys[2 * KEY :]:
            raise InvalidValueError("the line", "was cut or altered: its checksum is wrong", _AGAIN)
        return found

    def _checksum(self) -> bytes:
        content = self.secret + self.public + f"{self.host} {self.url}".encode()
        return hashlib.sha256(b"l2tpv3 fleet line" + content).digest()[:_SUM]

    def write(self, folder: Path) -> None:
        """Keep it on this host. Raises ExistsError where the host is in a fleet already, or what writing raises."""
        file = folder / _FILE
        if file.exists():
            raise ExistsError("this host", "is in a fleet already", "`l2tpctl fleet leave` first")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise file_error(folder, "make this folder", error) from error
        words = {"host": self.host, "secret": self.secret.hex(), "public": self.public.hex(), "url": self.url}
        write_durably(file, json.dumps(words).encode())

    @classmethod
    def read(cls, folder: Path) -> Membership:
        """What this host keeps. Raises NotFoundError where it is in no fleet, L2tpError where it can't be read."""
        file = folder / _FILE
        try:
            words: Any = json.loads(read_file(file, 1 << 16))
            secret, public = bytes.fromhex(words["secret"]), bytes.fromhex(words["public"])
            if len(secret) != KEY or len(public) != KEY:
                raise ValueError("a key of another length")
            return cls(host=check_host(words["host"]), secret=secret, public=public, url=str(words["url"]))
        except FileNotFoundError as error:
            remedy = "type what `l2tpctl fleet enroll` prints: `l2tpctl fleet join LINE`"
            raise NotFoundError("this host", "is in no fleet", remedy) from error
        except OSError as error:
            raise file_error(file, "read which fleet this host is in", error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(
                str(file), "is not what `fleet join` wrote", "`l2tpctl fleet leave`, and join again"
            ) from error


def leave(folder: Path) -> None:
    """Forget the fleet. What it made on this host stays. Raises NotFoundError where it is in none."""
    if not (folder / _FILE).exists():
        raise NotFoundError("this host", "is in no fleet", "nothing has to be left")
    for name in (_FILE, "memory.json"):
        remove_durably(folder / name)


def check_urls(text: str) -> str:
    """One or more URLs of NATS servers with commas between. Raises InvalidValueError."""
    for url in text.split(","):
        scheme, _, rest = url.partition("://")
        if scheme not in ("nats", "tls") or not rest or not url.isascii() or not url.isprintable() or " " in url:
            problem = f"{url!r} is no URL of a NATS server"
            raise InvalidValueError("URL", problem, "give nats://HOST:PORT, or tls://HOST:PORT")
        if "@" in rest:
            raise InvalidValueError(
                "URL", "it names a user or a password", "leave it out: hosts log in by their own key"
            )
    return text
