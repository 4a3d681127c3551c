"""l2tpctl --host against a service that is a process of its own: by unix socket and TLS, let in, kept out, gone."""

from __future__ import annotations

import http.server
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from l2tpv3.cli import main
from tests.api.authority import Authority
from tests.api.running import Running, home, running
from tests.cli.command_line import Result
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
L2TPCTL = Path(sys.executable).with_name("l2tpctl")
Ctl = Callable[..., Result]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(directory: Path) -> Authority:
    return Authority(directory)


@pytest.fixture(scope="module")
def service(authority: Authority) -> Iterator[Running]:
    """By TLS and unix socket, with tunnel `siteb` and session `lan`. Certificates of noc.example may do everything."""
    server = authority.issue("server", "localhost", "127.0.0.1")
    clients = ("--client-ca", str(authority.ca), "--client", "noc.example=write,secrets")
    with running("--listen", "127.0.0.1:0", "--tls-cert", str(server), *clients) as one:
        host = ["--host", f"unix://{one.unix}"]
        assert main([*host, "tunnel", "add", "siteb", "--remote", "127.0.0.2"]) == 0
        cookies = ["--tx-cookie", "0011223344556677", "--rx-cookie", "8899aabb"]
        assert main([*host, "session", "add", "siteb", "lan", *cookies]) == 0
        yield one


@pytest.fixture
def ctl(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ctl:
    """Runs commands of nobody in particular: no token, no hosts.toml."""
    monkeypatch.delenv("L2TPCTL_TOKEN", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def run(line: str, *more: str) -> Result:
        capsys.readouterr()
        code = main([*shlex.split(line), *more])
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    return run


@pytest.fixture
def tls(service: Running, authority: Authority) -> str:
    """The options for the service by TLS."""
    return f"--host https://localhost:{service.port} --ca {authority.ca}"


def write_token(folder: Path, text: str) -> Path:
    file = folder / "token"
    file.write_text(f"{text}\n")
    return file


def is_one_line(text: str) -> bool:
    return text.startswith("l2tpctl: ") and text.count("\n") == 1 and "Traceback" not in text


def test_a_token_from_a_file_the_environment_and_hosts(
    ctl: Ctl, tls: str, service: Running, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = ctl(f"--host unix://{service.unix} tunnel show siteb --json")
    token = service.token("laptop", "read")
    file = write_token(tmp_path, token)
    assert ctl(f"{tls} --token-file {file} tunnel show siteb --json") == here
    (tmp_path / "l2tpv3").mkdir()
    hosts = tmp_path / "l2tpv3" / "hosts.toml"
    hosts.write_text(
        f'[host.b]\nurl = "https://localhost:{service.port}"\nca = "{authority.ca}"\ntoken-file = "{file}"\n'
    )
    assert ctl("--host b tunnel show siteb --json") == here
    hosts.unlink()
    monkeypatch.setenv("L2TPCTL_TOKEN", token)
    assert ctl(f"{tls} tunnel show siteb --json") == here
    monkeypatch.setenv("L2TPCTL_HOST", f"unix://{service.unix}")
    assert ctl("tunnel show siteb --json") == here
    assert here.code == 0 and here.json["tunnels"][0]["name"] == "siteb"


def test_a_certificate(ctl: Ctl, tls: str, authority: Authority, directory: Path) -> None:
    noc = authority.issue("noc.example")
    shown = ctl(f"{tls} --cert {noc} session show siteb lan --show-secrets")
    assert "0011223344556677" in shown.out
    assert ctl(f"{tls} --cert {noc} tunnel set siteb --udp-checksum off").code == 0
    strange = Authority(directory, "somebody else").issue("noc.example", file="strange")
    refused = ctl(f"{tls} --cert {strange} tunnel show")
    assert refused.code in (2, 5) and is_one_line(refused.err)


def test_a_token_to_read_with(ctl: Ctl, tls: str, service: Running, tmp_path: Path) -> None:
    may = f"{tls} --token-file {write_token(tmp_path, service.token('reader', 'read'))}"
    assert ctl(f"{may} session show siteb").code == 0
    for line in ("tunnel del siteb", "session set siteb lan --mtu 1300", "down", "tunnel add x --remote 127.0.0.3"):
        result = ctl(f"{may} {line}")
        assert (result.code, result.out) == (5, ""), line
        assert is_one_line(result.err) and "scope write" in result.err


def test_a_token_to_change_with_does_not_show_cookies(ctl: Ctl, tls: str, service: Running, tmp_path: Path) -> None:
    may = f"{tls} --token-file {write_token(tmp_path, service.token('changer', 'write'))}"
    for line in ("session show siteb lan --show-secrets", "tunnel show --show-secrets --json", "peer siteb", "export",
                 "ip-l2tp show session"):  # fmt: skip
        result = ctl(f"{may} {line}")
        assert (result.code, result.out) == (5, ""), line
        assert "scope secrets" in result.err
    assert "**** (8 bytes)" in ctl(f"{may} session show siteb lan").out
    assert ctl(f"{may} session set siteb lan --mtu 1300").code == 0
    errors = ctl(f"{may} peer siteb --json")
    assert errors.code == 1, "peer has no --json"


def test_what_nobody_confirms_is_undone_there(ctl: Ctl, service: Running, tmp_path: Path) -> None:
    file = tmp_path / "brief.toml"
    file.write_text('[tunnel.brief]\nremote = "127.0.0.7"\nlocal-port = 7000\n')
    host = f"--host unix://{service.unix}"
    done = ctl(f"{host} apply -f {file} --confirm 0.5")
    assert done.code == 0 and "within 0.5 s keeps it" in done.err
    give_up = time.monotonic() + PATIENCE_S
    while ctl(f"{host} tunnel show brief").code == 0:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    assert "nobody confirmed in time" in ctl(f"{host} log -n 1").out
    assert ctl(f"{host} confirm").code == 3


def test_who_is_not_let_in(ctl: Ctl, tls: str, service: Running, tmp_path: Path) -> None:
    nobody = ctl(f"{tls} tunnel show")
    assert nobody.code == 5 and is_one_line(nobody.err)
    assert "--token-file" in nobody.err and "L2TPCTL_TOKEN" in nobody.err
    token = service.token("left", "read")
    wrong = ctl(f"{tls} --token-file {write_token(tmp_path, token[:-1] + 'x')} tunnel show")
    assert wrong.code == 5 and is_one_line(wrong.err) and token[:-1] not in wrong.err
    told = json.loads(ctl(f"{tls} tunnel show --json").err)["error"]
    assert (told["slug"], told["exit_code"]) == ("unauthenticated", 5)


def test_who_is_not_trusted(ctl: Ctl, service: Running, authority: Authority, directory: Path) -> None:
    system = ctl(f"--host https://localhost:{service.port} tunnel show")
    assert system.code == 2 and "--ca" in system.err and is_one_line(system.err)
    other = Authority(directory, "another")
    assert "--ca" in ctl(f"--host https://localhost:{service.port} --ca {other.ca} tunnel show").err
    by_address = ctl(f"--host https://[::ffff:127.0.0.1]:{service.port} --ca {authority.ca} tunnel show")
    assert by_address.code == 2 and is_one_line(by_address.err), "the certificate does not name it"
    plain = ctl(f"--host http://127.0.0.1:{service.port} tunnel show")
    assert plain.code == 2 and is_one_line(plain.err)


def test_nobody_there(ctl: Ctl, tmp_path: Path) -> None:
    for url, says in (
        (f"unix://{tmp_path}/none.sock", "No such file"),
        ("https://127.0.0.1:1", "refused"),
        ("http://127.0.0.1:1", "refused"),
    ):
        result = ctl(f"--host {url} tunnel show")
        assert (result.code, result.out) == (2, "") and is_one_line(result.err)
        assert says in result.err and url in result.err and "running?" in result.err
    told = json.loads(ctl(f"--host unix://{tmp_path}/none.sock tunnel show --json").err)["error"]
    assert (told["slug"], told["retryable"], told["errno"]) == ("unreachable", True, 2)


@pytest.mark.root
def test_a_socket_that_one_may_not_open(service: Running) -> None:
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c"]
    program = "import sys; from l2tpv3.cli import main; sys.exit(main())"
    done = subprocess.run(
        [*words, program, "--host", f"unix://{service.unix}", "tunnel", "show"],
        capture_output=True, text=True, check=False, env=os.environ | {"HOME": "/nonexistent"}, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 5 and is_one_line(done.stderr), done
    assert "group l2tpv3" in done.stderr


def ask(service: Running, *words: str) -> subprocess.Popen[str]:
    program = "import sys; from l2tpv3.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "--host", f"unix://{service.unix}", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def has_connected(service: Running, asking: subprocess.Popen[str]) -> None:
    """Wait until it has sent its request: it waits for the answer then (poll or recvfrom, as wchan has it)."""
    give_up = time.monotonic() + PATIENCE_S
    fds = Path(f"/proc/{asking.pid}/fd")
    while time.monotonic() < give_up:
        sockets = [one for one in fds.iterdir() if one.is_symlink() and "socket:" in str(one.readlink())]
        if sockets and Path(f"/proc/{asking.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S":
            time.sleep(0.2)
            return
        assert asking.poll() is None
        time.sleep(0.02)
    raise AssertionError("it does not connect")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("tunnel", "show"), "can't connect"),  # a look is tried again, and then nobody is there
        (("tunnel", "add", "x", "--remote", "127.0.0.2"), "may have been done"),
        (("restore",), "may have been done"),
    ],
)
def test_a_service_that_is_killed_while_it_is_asked(words: tuple[str, ...], says: str) -> None:
    with home() as service:
        service.start("--log-format", "json")
        service.wait_ready()
        service.send(signal.SIGSTOP)
        asking = ask(service, *words)
        has_connected(service, asking)
        service.send(signal.SIGKILL)
        out, err = asking.communicate(timeout=PATIENCE_S)
        assert (asking.returncode, out) == (2, "") and is_one_line(err), err
        assert says in err


class Odd(http.server.BaseHTTPRequestHandler):
    """Some other web server."""

    answer: tuple[int, str, bytes] = (200, "text/html", b"<h1>It works!</h1>")

    def do_GET(self) -> None:
        status, kind, body = self.answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def odd() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "answer",
    [
        (200, "text/html", b"<h1>It works!</h1>"),
        (200, "application/json", b"[]"),
        (200, "application/json", b'{"tunnels": [{}], "next": null}'),
        (200, "application/json", b'{"tunnels": 7, "next": null}'),
        (200, "application/json", b""),
        (404, "text/html", b"nothing here"),
        (500, "application/problem+json", b"{}"),
        (500, "application/problem+json", b"nonsense"),
        (302, "text/html", b""),
        (200, "application/json", b"\xff\xfe"),
    ],
)
def test_what_is_no_service(
    ctl: Ctl, odd: str, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str, bytes]
) -> None:
    monkeypatch.setattr(Odd, "answer", answer)
    result = ctl(f"--host {odd} tunnel show")
    assert (result.code, result.out) == (2, "") and is_one_line(result.err), result
    assert odd in result.err and "l2tpv3 service" in result.err


def test_another_host_does_not_get_to_steer_the_terminal(ctl: Ctl, odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = {"slug": "conflict", "subject": "\x1b]0;owned\x07", "problem": "\u009b31mred", "remedy": "\x08\x08",
               "errno": None, "retryable": False, "exit_code": 4}  # fmt: skip
    for ascii_only in (True, False):
        body = json.dumps(problem, ensure_ascii=ascii_only).encode()
        monkeypatch.setattr(Odd, "answer", (409, "application/problem+json", body))
        result = ctl(f"--host {odd} tunnel show")
        assert result.code == 4
        assert result.err.rstrip("\n").isprintable()


@pytest.mark.parametrize("line", ["watch", "serve", "token ls", "token add x", "token rm x"])
def test_what_works_only_on_its_own_host(ctl: Ctl, service: Running, line: str) -> None:
    result = ctl(f"--host unix://{service.unix} {line}")
    assert (result.code, result.out) == (2, "") and is_one_line(result.err)
    assert "--host" in result.err and "run it there" in result.err


def test_options_without_a_host(ctl: Ctl) -> None:
    for option in ("--ca", "--cert", "--key", "--token-file"):
        result = ctl(f"{option} x tunnel show")
        assert result.code == 1 and is_one_line(result.err) and option in result.err
    assert ctl("--host https://localhost --key x tunnel show").code == 1
    assert ctl("--host https://localhost --ca /nonexistent tunnel show").code == 1
    assert ctl("--host https://localhost --cert /nonexistent tunnel show").code == 1


def test_what_it_takes_is_imported_with_host_only_and_missed_in_words(service: Running) -> None:
    program = "import sys; from l2tpv3.cli import main; code = main(sys.argv[1:]); print('httpx' in sys.modules)"
    for words, loaded in ((["--help"], "False"), (["--host", f"unix://{service.unix}", "tunnel", "show"], "True")):
        done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == loaded
    program = "import sys; sys.modules['httpx'] = None; from l2tpv3.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, "--host", "unix:///x", "tunnel", "show"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and is_one_line(done.stderr) and "[remote]'` installs it" in done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tunnel show ", "siteb"),
        ("session show siteb ", "lan"),
        ("session set siteb l", "lan"),
        ("session show nope ", ""),
        ("tunnel add x --netns ", ""),
        ("tunnel add x --encap ", "ip udp"),
    ],
)
def test_completion_is_of_that_host(service: Running, line: str, words: str) -> None:
    assert offered(f"l2tpctl --host unix://{service.unix} {line}") == words.split()
    assert offered(f"l2tpctl {line}", L2TPCTL_HOST=f"unix://{service.unix}") == words.split()


def test_completion_is_silent_where_nobody_answers() -> None:
    for url in ("unix:///nonexistent", "nonsense", "https://127.0.0.1:1"):
        assert offered(f"l2tpctl --host {url} tunnel show ") == []
    with home() as service:
        service.start("--log-format", "json")
        service.wait_ready()
        service.send(signal.SIGSTOP)
        assert offered(f"l2tpctl --host unix://{service.unix} tunnel show ") == []
        service.send(signal.SIGCONT)


def offered(line: str, **environment: str) -> list[str]:
    """What bash is offered for the last word of `line`."""
    words = line.split(" ")
    # bash splits at colons, unless told otherwise: COMP_WORDS is what the script hands over, the line itself
    asked = {"_L2TPCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [L2TPCTL], env=os.environ | asked | environment, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert done.stderr == ""
    return done.stdout.split()
