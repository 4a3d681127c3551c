"""TLS, client certificates, and a certificate that is renewed while the service runs."""

from __future__ import annotations

import contextlib
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from l2tpv3_api.auth.certificates import names
from tests.api.authority import Authority
from tests.api.running import Running, home, read_all, running
from tests.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(directory: Path) -> Authority:
    return Authority(directory)


@pytest.fixture(scope="module")
def service(authority: Authority) -> Iterator[Running]:
    """Takes certificates of `writer` (write), of noc.example (secrets), and tokens."""
    server = authority.issue("server", "localhost", "127.0.0.1", "l2tp.example")
    options = ("--tls-cert", str(server), "--client-ca", str(authority.ca), "--client", "writer=write")
    limits = ("--limit", "handshake-s=1", "--limit", "header-s=1")
    listen = ("--listen", "127.0.0.1:0", "--listen", "[::1]:0")
    with running(*listen, *options, "--client", "noc.example=read,secrets", *limits) as one:
        yield one


def client(service: Running, authority: Authority, certificate: Path | None = None, token: str = "") -> httpx.Client:
    context = ssl.create_default_context(cafile=str(authority.ca))
    if certificate is not None:
        context.load_cert_chain(certificate)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(
        base_url=f"https://localhost:{service.port}", verify=context, headers=headers, timeout=PATIENCE_S
    )


DELETE = "/v1/tunnels/none"


def test_without_a_credential(service: Running, authority: Authority) -> None:
    with client(service, authority) as one:
        answer = one.get("/v1/tunnels")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token(service: Running, authority: Authority) -> None:
    with client(service, authority, token=service.token("reader")) as one:
        assert one.get("/v1/tunnels").status_code == 200
        assert one.delete(DELETE).status_code == 403
    with client(service, authority, token=service.token("writer", "write")) as one:
        assert one.delete(DELETE).status_code == 404


def test_certificates_by_name(service: Running, authority: Authority) -> None:
    with client(service, authority, authority.issue("writer")) as one:
        assert one.get("/v1/tunnels").status_code == 200
        assert one.delete(DELETE).status_code == 404
    with client(service, authority, authority.issue("somebody", "noc.example")) as one:
        assert one.get("/v1/tunnels").status_code == 200
        assert one.delete(DELETE).status_code == 403
    names = {record.get("identity") for record in service.records()}
    assert names >= {"certificate writer", "certificate noc.example"}


@pytest.mark.parametrize("name", ["other", "Writer", "writer ", "writer\nroot", "*", "writer.noc.example", ""])
def test_certificates_of_other_names_are_strangers(service: Running, authority: Authority, name: str) -> None:
    with client(service, authority, authority.issue(name, *([] if name else ["x.example"]), file="other")) as one:
        answer = one.get("/v1/tunnels")
    assert answer.status_code == 401
    assert "\n" not in answer.json()["detail"]


def test_certificates_of_another_authority_or_that_ended(
    service: Running, authority: Authority, directory: Path
) -> None:
    forged = Authority(directory, "other authority").issue("writer", file="forged")
    ended = authority.issue("writer", file="ended", days=-1)
    for certificate in (forged, ended):
        with client(service, authority, certificate) as one, pytest.raises(httpx.TransportError):
            one.get("/v1/tunnels")


def test_a_token_goes_before_a_certificate(service: Running, authority: Authority) -> None:
    with client(service, authority, authority.issue("writer"), service.token("only-reads")) as one:
        assert one.delete(DELETE).status_code == 403


def test_browsers_stay_with_tls_and_a_key_that_all_can_read_is_told_of(service: Running, authority: Authority) -> None:
    with client(service, authority) as one:
        assert one.get("/").headers["strict-transport-security"].startswith("max-age=")
    path = authority.issue("careful", "localhost", file="careful")
    for mode in (0o644, 0o640):
        path.chmod(mode)
        with running("--listen", "127.0.0.1:0", "--tls-cert", str(path), "--unix", "none") as one:
            warned = [record for record in one.records() if "can be read by every user" in record["message"]]
            assert len(warned) == (mode == 0o644)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_what_speaks_no_tls_or_old_one(service: Running, authority: Authority) -> None:
    with service.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in read_all(sock)
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")  # or OpenSSL would not even offer it
    with service.connect() as sock, pytest.raises(ssl.SSLError, match=r"(?i)alert|eof"):
        context.wrap_socket(sock, server_hostname="localhost")


def test_handshakes_that_do_not_end(service: Running, authority: Authority) -> None:
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(service.connect()) for _ in range(100)]
        for sock in many:
            sock.sendall(b"\x16\x03\x01")
        with client(service, authority, token=service.token("meanwhile")) as one:
            assert one.get("/v1/tunnels").status_code == 200
        for sock in many:
            read_all(sock)
    service.wait_for_record(reason="tls-handshake")


def test_slow_headers_and_malformed_ones_within_tls(service: Running, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.ca))
    for said, expected in ((b"GET / HT", b" 408 "), (b"no http\r\n\r\n", b" 400 ")):
        with service.connect() as sock, context.wrap_socket(sock, server_hostname="localhost") as tls:
            tls.sendall(said)
            assert expected in tls.recv(4096)[:14]


@pytest.mark.parametrize(
    ("host", "server_name", "expected"),
    [("l2tp.example", "l2tp.example", 401), ("localhost", "localhost", 401), ("127.0.0.1", "localhost", 401),
     ("other.example", "l2tp.example", 421), ("l2tp.example", "localhost", 421)],
)  # fmt: skip
def test_the_host_is_what_tls_asked_for(
    service: Running, authority: Authority, host: str, server_name: str, expected: int
) -> None:
    context = ssl.create_default_context(cafile=str(authority.ca))
    with service.connect() as sock, context.wrap_socket(sock, server_hostname=server_name) as tls:
        tls.sendall(f"GET /v1/tunnels HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert int(tls.recv(4096).split()[1]) == expected


def test_a_new_certificate_without_a_restart(authority: Authority, directory: Path) -> None:
    path = authority.issue("first", "localhost", file="renewed")
    with running("--listen", "127.0.0.1:0", "--tls-cert", str(path), "--unix", "none") as one:
        assert common_name(one, authority) == "first"
        authority.issue("second", "localhost", file="renewed")
        one.send(signal.SIGHUP)
        one.wait_for_record(message="has read its certificate and groups again")
        assert common_name(one, authority) == "second"
        path.write_text("nonsense")
        one.send(signal.SIGHUP)
        one.wait_for_record(level="error")
        assert common_name(one, authority) == "second"


def common_name(service: Running, authority: Authority) -> str:
    context = ssl.create_default_context(cafile=str(authority.ca))
    with service.connect() as sock, context.wrap_socket(sock, server_hostname="localhost") as tls:
        certificate = tls.getpeercert()
    assert certificate is not None
    return next(names(certificate))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--tls-cert", "/nowhere.pem"], "/nowhere.pem"),
        (["--tls-cert", "{junk}"], "can't be used"),
        (["--tls-cert", "{ca}"], "can't be used"),
        (["--tls-cert", "{good}", "--tls-key", "{other}"], "can't be used"),
        (["--tls-cert", "{good}", "--client-ca", "{junk}", "--client", "a=read"], "--client-ca"),
        (["--client-ca", "{ca}"], "--tls-cert"),
        (["--tls-cert", "{good}", "--client-ca", "{ca}"], "--client"),
        (["--tls-cert", "{good}", "--client", "a=read"], "--client-ca"),
        (["--tls-cert", "{good}", "--client-ca", "{ca}", "--client", "a=all"], "'all' is not a scope"),
        (["--tls-cert", "{good}", "--client-ca", "{ca}", "--client", "a"], "not NAME=SCOPE"),
    ],
)
def test_what_is_wrong_is_told_at_the_start(
    authority: Authority, directory: Path, options: list[str], told: str
) -> None:
    (directory / "junk.pem").write_text("nonsense")
    files = {"ca": authority.ca, "junk": directory / "junk.pem"}
    files |= {"good": authority.issue("good"), "other": authority.issue("other")}
    with home() as one:
        one.start("--unix", "none", "--listen", "127.0.0.1:0", *[option.format(**files) for option in options])
        assert one.process is not None
        assert one.process.wait(PATIENCE_S) in (1, 3)
        said = one.log.read_text()
    assert said.startswith("l2tpctl: ") and told in said and said.count("\n") == 1
