"""A real nginx in front, TLS and all: as the documents say, and as they say not to."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.api.authority import Authority
from tests.api.dashboard.browser import chromium
from tests.api.running import ROOT, Running, home
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

NAME = "l2tp.example"
DOCUMENTED = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "service.md").read_text(), re.DOTALL)
BARE = """
server {
    listen 443 ssl;
    ssl_certificate     /etc/nginx/tls/cert.pem;
    ssl_certificate_key /etc/nginx/tls/key.pem;
    location / { proxy_pass http://unix:/run/l2tpv3/proxy.sock:; %s }
}
"""


@dataclass(frozen=True)
class Proxy:
    """An nginx that runs; it has certificates for NAME, localhost and 127.0.0.1 by `authority`."""

    port: int
    authority: Authority

    def client(self, token: str = "", host: str = "localhost", **headers: str) -> httpx.Client:
        """A client of it. host: what it is called by."""
        said = {"Authorization": f"Bearer {token}"} if token else {}
        context = ssl.create_default_context(cafile=str(self.authority.ca))
        return httpx.Client(
            base_url=f"https://localhost:{self.port}",
            verify=context,
            headers={**said, "Host": host, **headers},
            timeout=PATIENCE_S,
        )


@contextlib.contextmanager
def nginx(directory: Path, site: str, to: str) -> Iterator[Proxy]:
    """An nginx with one site of the documents' kind, which passes everything on to `to`."""
    authority = Authority(directory)
    pem = authority.issue("proxy", NAME, "localhost", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    site = re.sub(r"listen\s+\S+", f"listen 127.0.0.1:{port}", site)
    site = re.sub(r"/etc/nginx/tls/\w+\.pem", str(pem), site)
    site = re.sub(r"proxy_pass\s+\S+;", f"proxy_pass {to};", site)
    temporary = "".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = directory / "nginx.conf"
    # Its workers are root as well: so the kernel takes them for root, which is the worst case.
    config.write_text(
        f"user root; worker_processes 1; daemon off; pid {directory}/pid; error_log {directory}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n{site}\n}}\n"
    )
    process = subprocess.Popen(["nginx", "-c", str(config), "-p", str(directory), "-e", f"{directory}/error.log"])
    try:
        give_up = time.monotonic() + PATIENCE_S
        while True:
            assert process.poll() is None and time.monotonic() < give_up, (directory / "error.log").read_text()
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)
        yield Proxy(port, authority)
    finally:
        process.send_signal(signal.SIGQUIT if process.poll() is None else 0)
        process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    """A service with all three: its own socket, one for a proxy, and loopback."""
    with home() as one:
        one.start(
            *("--log-format", "json", "--listen", "127.0.0.1:0", "--host-name", NAME),
            *("--proxy-unix", str(one.paths.runtime / "proxy.sock")),
        )
        one.wait_ready()
        yield one


def ways(service: Running) -> dict[str, str]:
    """Where nginx may pass requests on to."""
    return {
        "socket": f"http://unix:{service.paths.runtime}/proxy.sock:",
        "loopback": f"http://127.0.0.1:{service.port}",
        "wrong socket": f"http://unix:{service.unix}:",
    }


@pytest.fixture(scope="module", params=["socket", "loopback"])
def proxy(
    service: Running, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Proxy]:
    """In front of the service as the documents have it."""
    [site] = DOCUMENTED
    with nginx(tmp_path_factory.mktemp("nginx"), site, ways(service)[request.param]) as one:
        yield one


def test_nobody_is_known_without_a_token(proxy: Proxy, service: Running) -> None:
    for host in ("localhost", NAME, f"localhost:{proxy.port}", "l2tpv3"):
        with proxy.client(host=host) as client:
            for method, path in (("GET", "/v1/capabilities"), ("PUT", "/v1/tunnels/t"), ("DELETE", "/v1/tunnels/t")):
                assert client.request(method, path).status_code in (401, 421), (host, method)
    with proxy.client() as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/").status_code == 200


def test_a_token_is_who_it_is(proxy: Proxy, service: Running) -> None:
    with proxy.client(token(service), **{"X-Forwarded-For": "127.0.0.1"}) as client:
        assert client.get("/v1/capabilities").json()["you"]["name"] == "token proxied"
        assert client.put("/v1/tunnels/t", json={"remote": "127.0.0.2"}).status_code in (200, 201)
        with client.stream("GET", "/v1/events") as events:
            assert next(events.iter_bytes()).startswith(b"retry:")  # nothing is held back


@pytest.mark.parametrize(
    ("host", "expected"), [(NAME, 200), ("localhost", 200), ("evil.example", 421), (f"{NAME}.evil.example", 421)]
)
def test_the_host_is_one_of_ours(proxy: Proxy, service: Running, host: str, expected: int) -> None:
    """Or a browser could be made to believe that this is part of another site."""
    with proxy.client(token(service), host, Origin=f"https://{host}", **{"Sec-Fetch-Site": "same-origin"}) as client:
        assert client.get("/v1/tunnels").status_code == expected


def test_pages_of_this_site_and_of_others(proxy: Proxy, service: Running) -> None:
    ours = {"Origin": f"https://{NAME}", "Sec-Fetch-Site": "same-origin"}
    with proxy.client(token(service), NAME) as client:
        assert client.get("/dashboard/main.js", headers=ours).status_code == 200
        assert client.delete("/v1/tunnels/none", headers=ours).status_code == 404
        for site in ("cross-site", "same-site"):
            said = {"Origin": "https://evil.example", "Sec-Fetch-Site": site}
            assert client.delete("/v1/tunnels/none", headers=said).status_code == 403
        assert client.delete("/v1/tunnels/none", headers={"Origin": "https://evil.example"}).status_code == 403


def test_the_dashboard_loads(proxy: Proxy, service: Running) -> None:
    with chromium() as browser:
        browser.driver.execute_cdp_cmd("Security.setIgnoreCertificateErrors", {"ignore": True})
        browser.look()
        browser.open(f"https://localhost:{proxy.port}/#/", token=token(service))
        browser.wait_text("body", "Overview")


HEADERS = "proxy_set_header Host $http_host; proxy_http_version 1.1;"


@pytest.mark.parametrize(
    "directives",
    [
        "", HEADERS, "proxy_set_header Host $host;", 'proxy_http_version 1.1; proxy_set_header Connection "";'
        " proxy_set_header X-Real-IP $remote_addr;", f"{HEADERS} proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_http_version 1.1; proxy_set_header Forwarded for=$remote_addr;",
    ],
)  # fmt: skip
def test_a_proxy_at_the_wrong_socket_lets_nobody_in(service: Running, tmp_path: Path, directives: str) -> None:
    with nginx(tmp_path, BARE % directives, ways(service)["wrong socket"]) as proxy:
        for host in (f"localhost:{proxy.port}", NAME, "127.0.0.1"):
            with proxy.client(host=host) as client:
                answer = client.put("/v1/tunnels/stranger", json={"remote": "127.0.0.2"})
                assert answer.status_code == 401 and "--proxy-unix" in answer.json()["remedy"]
        with proxy.client(token(service)) as client:
            assert client.get("/v1/capabilities").json()["you"]["name"] == "token proxied"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Host: l2tpv3", 200), ("Host: localhost", 200), ("Host: x", 200), ("Host: ", 200), ("Host: L2TPV3", 200),
        ("Host: l2tp.example", 401), ("Host: 127.0.0.1", 401), ("Host: [::1]", 401), ("Host: localhost:8080", 401),
        (f"Host: {socket.gethostname()}", 401), ("Host: x\r\nOrigin: http://x", 401), ("Host: x\r\nVia: 1.1 y", 401),
        ("Host: x\r\nForwarded: for=192.0.2.1", 401), ("Host: x\r\nX-FORWARDED-PROTO: https", 401),
        ("Host: x\r\nSec-Fetch-Site: none", 401), ("Host: x\r\nReferer: http://x/", 401),
        ("Host: x\r\nCookie: a=b", 401),
        ("Host: x\r\nX-Real-IP: 127.0.0.1", 401), ("Host: x\r\nCF-Connecting-IP: 192.0.2.1", 401),
    ],
)  # fmt: skip
def test_what_may_have_been_passed_on_is_not_its_peers(service: Running, said: str, expected: int) -> None:
    with service.connect_unix() as sock:
        sock.sendall(f"GET /v1/capabilities HTTP/1.1\r\n{said}\r\nConnection: close\r\n\r\n".encode())
        assert int(sock.recv(4096).split()[1]) == expected


def test_the_proxys_socket_takes_everyone_and_knows_nobody(service: Running) -> None:
    path = service.paths.runtime / "proxy.sock"
    assert path.stat().st_mode & 0o777 == 0o666
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost") as client:
        assert client.get("/v1/capabilities").status_code == 401
        assert client.get("/v1/capabilities", headers={"Authorization": f"Bearer {token(service)}"}).status_code == 200


def test_one_socket_is_not_both() -> None:
    with home() as one:
        one.start("--unix", str(one.unix), "--proxy-unix", str(one.unix))
        assert one.process is not None and one.process.wait(PATIENCE_S) == 1
        assert "--proxy-unix" in one.log.read_text()


def token(service: Running, kept: dict[str, str] = {}) -> str:  # noqa: B006 - one for the module
    if not kept:
        kept["token"] = service.token("proxied", "write")
    return kept["token"]
