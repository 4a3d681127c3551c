"""Client certificates: what names they bear, and what is allowed to each.

TLS has checked the signature against --client-ca by then; a name counts only if it was configured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from l2tpv3.errors import InvalidValueError
from l2tpv3_api.auth.identity import Identity, Scope, scopes

ANYONE: Final = "*"
"""Stands for every certificate that the CA has signed."""


class Certificates:
    """allowed: scopes by CN or subject alternative name, compared whole; ANYONE for names that are not listed."""

    def __init__(self, allowed: Mapping[str, frozenset[Scope]]) -> None:
        self._allowed = dict(allowed)

    def identify(self, certificate: Mapping[str, Any]) -> Identity | None:
        """The identity of a certificate's holder; None where none of its names was configured."""
        found = list(names(certificate))
        for name in found:
            if name in self._allowed and name != ANYONE:
                return _identity(name, self._allowed[name])
        if ANYONE in self._allowed and found:
            return _identity(found[0], self._allowed[ANYONE])
        return None


def names(certificate: Mapping[str, Any]) -> Iterator[str]:
    """The common names of a certificate's subject, then its alternative names: DNS, e-mail, URI, IP address."""
    for part in certificate.get("subject", ()):
        yield from (str(value) for key, value in part if key == "commonName")
    for kind, value in certificate.get("subjectAltName", ()):
        if kind in ("DNS", "email", "URI", "IP Address"):
            yield str(value)


def parse_client(text: str, option: str = "--client") -> tuple[str, frozenset[Scope]]:
    """`NAME=SCOPE[,SCOPE]` as a name and its scopes. Raises InvalidValueError."""
    name, equals, words = text.rpartition("=")
    if not (name and equals and words):
        raise InvalidValueError(option, f"{text!r} is not NAME=SCOPE", "for instance laptop.example=write")
    return name, scopes(words.split(","), option)


def _identity(name: str, allowed: frozenset[Scope]) -> Identity:
    told = name if name.isprintable() else ascii(name)  # a line feed would make two lines of one in a log
    return Identity(f"certificate {told}", allowed, f"certificate:{name}")
