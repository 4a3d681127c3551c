"""strongSwan's charon in a host's network namespace, with files of its own."""

from __future__ import annotations

import datetime
import socket
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from vici import Session

from l2tpv3.encryption.charon import Charon
from l2tpv3.linux.netns import inside
from tests.hosts import Host
from tests.waiting import PATIENCE_S

PROGRAM = Path("/usr/sbin/charon-systemd")


def start(host: Host, *, path: Path | None = None) -> int:
    """Start it; it answers when this returns. Gives its pid. path: its socket; None is a file of its own."""
    settings = host.folder / "strongswan.conf"
    path = path or Path("/run", f"charon-{host.netns}.vici")
    settings.write_text(
        f"charon-systemd {{\n load_modular = no\n plugins {{\n vici {{\n socket = unix://{path}\n }}\n }}\n"
        f" filelog {{\n {host.name} {{\n path = {host.folder}/charon.log\n default = 1\n flush_line = yes\n }}\n }}\n"
        "}\n"
    )
    host.start(["env", f"STRONGSWAN_CONF={settings}", PROGRAM])
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with inside(host.netns), Charon(None) as one:
                one.connections()
                return one.pid
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def log(host: Host) -> str:
    """What it has logged."""
    return (host.folder / "charon.log").read_text()


def load_certificate(host: Host, name: str, authority: Authority) -> None:
    """Have it know the authority, and a certificate of this name with its key, as swanctl --load-creds would."""
    key = rsa.generate_private_key(65537, 2048)
    certificate = authority.certificate(name, key)
    text = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(f"/run/charon-{host.netns}.vici")
        session = Session(one)
        session.load_cert({"type": "x509", "flag": "CA", "data": authority.itself})
        session.load_cert({"type": "x509", "flag": "NONE", "data": certificate})
        session.load_key({"type": "rsa", "data": text})


class Authority:
    """A certificate authority. itself: its own certificate."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        self._name = _subject("authority")
        self.itself = self._signed(self._name, self._key, is_authority=True)

    def certificate(self, name: str, key: rsa.RSAPrivateKey) -> bytes:
        """A certificate with the subject CN=NAME, in DER."""
        return self._signed(_subject(name), key, is_authority=False)

    def _signed(self, subject: x509.Name, key: rsa.RSAPrivateKey, *, is_authority: bool) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.DER)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
