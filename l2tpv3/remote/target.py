"""Finds the service of a command, and the credentials for it: --host, the environment, ~/.config/l2tpv3/hosts.toml."""

from __future__ import annotations

import ipaddress
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from l2tpv3.errors import InvalidValueError
from l2tpv3.linux.read_file import read_file
from l2tpv3.value_class import value_class

_HOSTS_MAX, _TOKEN_MAX = 1 << 20, 4096
_KEYS = ("url", "token", "token-file", "ca", "cert", "key", "insecure-plain-http")
_FILES = ("token-file", "ca", "cert", "key")
_FORMS = "give ssh://[USER@]HOST, unix:///PATH, https://HOST[:PORT] or http://127.0.0.1:PORT"


@value_class(frozen=True, slots=True, kw_only=True)
class Access:
    """The options given beside --host. Files that are not given are looked up in hosts.toml."""

    token: str | None = field(default=None, repr=False)
    token_file: str | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class Target:
    """A service and how to get in. url: as it was said. socket: the unix socket's path; None over TCP.

    base: what paths are put after. token: a bearer token. ca: a file of certificates to trust instead of the system's.
    cert, key: the client's own certificate, and its key where that is in another file.
    """

    url: str
    base: str
    socket: str | None = None
    token: str | None = field(default=None, repr=False)
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


def find_target(host: str, access: Access, environ: Mapping[str, str] | None = None) -> Target:
    """The target that `host` says: a URL, or a name in hosts.toml. Raises InvalidValueError.

    environ: None is this process's. What is given in `access` goes before the file's, a token before a token file.
    """
    environ = os.environ if environ is None else environ
    known = _hosts_file(environ)
    entry = _entry(host, known)
    url = entry.get("url", host)
    base, socket = _parse_url(url, insecure=bool(entry.get("insecure-plain-http")))
    return Target(
        url=url,
        base=base,
        socket=socket,
        token=_token(access, entry),
        ca=access.ca or entry.get("ca"),
        cert=access.cert or entry.get("cert"),
        key=access.key or entry.get("key"),
    )


def url_of(host: str, environ: Mapping[str, str] | None = None) -> str:
    """The URL that --host says, or the one that hosts.toml has for its name. Raises InvalidValueError."""
    if "://" in host:
        return host
    url: str = _entry(host, _hosts_file(os.environ if environ is None else environ))["url"]
    return url


def hosts_file(environ: Mapping[str, str]) -> Path:
    """The path of hosts.toml, whether the file exists or not."""
    config = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "~").expanduser() / ".config"
    return Path(config) / "l2tpv3" / "hosts.toml"


def _hosts_file(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    file = hosts_file(environ)
    try:
        mode = file.stat().st_mode
        content = tomllib.loads(read_file(file, _HOSTS_MAX).decode())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidValueError(str(file), f"can't read it: {error.strerror}", "make it readable") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidValueError(str(file), f"not TOML: {error}", "write [host.NAME] and url = ...") from error
    return _checked(file, content, private=not stat.S_IMODE(mode) & 0o077)


def _checked(file: Path, content: dict[str, Any], *, private: bool) -> dict[str, dict[str, Any]]:
    hosts = content.get("host", {})
    unknown = [key for key in content if key != "host"]
    if unknown or not isinstance(hosts, dict):
        raise InvalidValueError(f"{file}: {(unknown or ['host'])[0]}", "not a table of a host", "write [host.NAME]")
    return {name: _checked_entry(file, name, entry, private=private) for name, entry in hosts.items()}


def _checked_entry(file: Path, name: str, entry: object, *, private: bool) -> dict[str, Any]:
    """One host's table, with whole paths. private: nobody else can read the file. Raises InvalidValueError."""
    here = f"{file}: host.{name}"
    if not isinstance(entry, dict) or "url" not in entry:
        raise InvalidValueError(here, "has no url", _FORMS)
    for key, value in entry.items():
        if key not in _KEYS:
            raise InvalidValueError(f"{here}: {key}", "is unknown", f"known are {', '.join(_KEYS)}")
        if not isinstance(value, bool if key == "insecure-plain-http" else str):
            raise InvalidValueError(f"{here}: {key}", "is of another kind", f"see {file.name} in the manual")
    if "token" in entry and not private:
        raise InvalidValueError(f"{here}: token", "others can read it", f"chmod 600 {file}, or give token-file")
    return {key: _beside(file, value) if key in _FILES else value for key, value in entry.items()}


def _beside(file: Path, path: str) -> str:
    """A path in hosts.toml is relative to it."""
    return str(file.parent / Path(path).expanduser())


def _entry(host: str, known: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    if "://" in host:
        return next((entry for entry in known.values() if entry["url"].rstrip("/") == host.rstrip("/")), {})
    if host not in known:
        raise InvalidValueError("--host", f"{host!r} is not a URL, nor a name in hosts.toml", _FORMS)
    return known[host]


def _parse_url(url: str, *, insecure: bool) -> tuple[str, str | None]:
    """What paths are put after, and the unix socket's path if it is one."""
    parts, host, port = _split_url(url)
    plain = not any((parts.query, parts.fragment, parts.username, parts.password))
    if parts.scheme == "unix" and plain and not parts.netloc and len(parts.path) > 1:
        return "http://localhost", parts.path
    if parts.scheme not in ("https", "http") or not plain or not host or parts.path not in ("", "/"):
        raise InvalidValueError("--host", f"{url!r} can't be the URL of a service", _FORMS)
    if parts.scheme == "http" and not insecure and not _is_loopback(host):
        remedy = "use https://, or say insecure-plain-http = true in hosts.toml"
        raise InvalidValueError("--host", f"{url} would carry the token and cookies in clear", remedy)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else ""), None


def _split_url(url: str) -> tuple[SplitResult, str, int | None]:
    """The parts of a URL, its host ("" without one) and its port. Raises InvalidValueError for what is none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
        if not url.isprintable():
            raise ValueError("control characters in it")
    except ValueError as error:
        raise InvalidValueError("--host", f"{url!r} is not a URL: {error}", _FORMS) from error
    return parts, host, port


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token(access: Access, entry: Mapping[str, Any]) -> str | None:
    if access.token_file is not None:
        return _check_token(_read_token(access.token_file), "--token-file")
    if access.token:
        return _check_token(access.token.strip(), "L2TPCTL_TOKEN")
    if "token" in entry:
        return _check_token(entry["token"].strip(), "token")
    return _check_token(_read_token(entry["token-file"]), "token-file") if "token-file" in entry else None


def _read_token(file: str) -> str:
    try:
        return read_file(file, _TOKEN_MAX).decode("ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise InvalidValueError("--token-file", f"can't read {file!r}: {reason}", "give a readable file") from error


def _check_token(token: str, what: str) -> str:
    """Check that a token can be put into a header. Errors never show it."""
    if not token.isascii() or not token.isprintable() or not token or " " in token:
        raise InvalidValueError(what, "holds no token", "`l2tpctl token add` at the service prints one")
    return token
