"""TLS contexts: a new one from the files each time, so that a renewed certificate needs no restart."""

from __future__ import annotations

import contextlib
import errno
import logging
import shlex
import ssl
import stat
from pathlib import Path

from l2tpv3.errors import InvalidValueError, L2tpError, from_errno
from l2tpv3.linux.read_file import PEM_MAX, check_file
from l2tpv3_api.settings import Settings

_LOG = logging.getLogger("l2tpv3_api.server")


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """The context that settings ask for; None for none. Raises InvalidValueError, NotFoundError, NotPermittedError.

    A client's certificate is asked for where there is a CA to check it, and not demanded: it may have a token instead.
    """
    if settings.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    context.sni_callback = _note_name
    for option, path in (("--tls-cert", settings.tls_cert), ("--tls-key", settings.tls_key)):
        _readable(option, path)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise _unusable("--tls-cert", settings.tls_cert, error, "give a PEM chain and its unencrypted key") from error
    if settings.client_ca is not None:
        _readable("--client-ca", settings.client_ca)
        try:
            context.load_verify_locations(settings.client_ca)
        except (ssl.SSLError, OSError) as error:
            raise _unusable("--client-ca", settings.client_ca, error, "give PEM certificates") from error
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def warn_of_open_key(settings: Settings) -> None:
    """Say in the log that every user of this host can read the key, where that is so."""
    key = settings.tls_key or settings.tls_cert
    with contextlib.suppress(OSError):
        if key is not None and key.stat().st_mode & stat.S_IROTH:
            _LOG.warning("--tls-key %s can be read by every user: chmod o-r %s", key, shlex.quote(str(key)))


def _note_name(tls: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
    """Keep the name that the client asked for; see headers.Site."""
    tls.l2tpv3_server_name = (name or "").lower().rstrip(".")  # type: ignore[union-attr]


def _no_password() -> str:
    raise ValueError("the key is encrypted")  # or OpenSSL would ask at the terminal


def _readable(option: str, path: Path | None) -> None:
    if path is None:
        return
    try:
        check_file(path, PEM_MAX)
    except OSError as error:
        remedy = "check the path and who may read it"
        if error.errno in (errno.EINVAL, errno.EFBIG):
            raise InvalidValueError(
                f"{option} {path}", f"can't read it: {error.strerror}", "give a PEM file"
            ) from error
        raise from_errno(f"{option} {path}", "read this file", error.errno or 0, remedy) from error


def _unusable(option: str, path: Path, error: Exception, remedy: str) -> L2tpError:
    why = error.reason if isinstance(error, ssl.SSLError) and error.reason else str(error)
    return InvalidValueError(f"{option} {path}", f"can't be used: {why.lower().replace('_', ' ')}", remedy)
