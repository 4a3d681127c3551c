"""The unix socket: who is at its other end is what the kernel says, and decides what may be done."""

from __future__ import annotations

import grp
import json
import os
import pwd
import socket
import subprocess
from collections.abc import Iterator

import pytest

from l2tpv3.store.database import Store
from l2tpv3_api.auth.peercred import peer_of
from tests.api.running import Running, home, running

STRANGER = 64123  # no user has this number
GROUP = "l2tpv3"
TUNNEL = "/v1/tunnels/t"


@pytest.fixture(scope="module")
def group() -> Iterator[int]:
    """The number of the group l2tpv3, made for these tests where there is none."""
    try:
        yield grp.getgrnam(GROUP).gr_gid
    except KeyError:
        subprocess.run(["groupadd", "--system", GROUP], check=True)
        try:
            yield grp.getgrnam(GROUP).gr_gid
        finally:
            subprocess.run(["groupdel", GROUP], check=True)


@pytest.fixture(scope="module")
def service(group: int) -> Iterator[Running]:
    """One to whose socket only root and the group get."""
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def readable(group: int) -> Iterator[Running]:
    """One that others may read from."""
    with running("--others", "read") as one:
        yield one


def ask(
    service: Running, uid: int, gid: int, groups: str, method: str, path: str, *more: str
) -> tuple[int, dict[str, object]]:
    """What curl gets as that user: the status, and the body. Status 0: it could not connect."""
    user = ["setpriv", f"--reuid={uid}", f"--regid={gid}", f"--groups={groups}" if groups else "--clear-groups"]
    curl = ["curl", "-sS", "--unix-socket", str(service.unix), "-X", method, "-w", "\n%{http_code}", *more]
    done = subprocess.run([*user, *curl, f"http://x{path}"], capture_output=True, text=True, check=False)
    if done.returncode:
        assert "connect" in done.stderr, done.stderr
        return 0, {}
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body) if body else {}


BODY = ("-H", "Content-Type: application/json", "-d", '{"remote": "127.0.0.2"}')


@pytest.mark.root
def test_root_and_the_group_change_things(service: Running, group: int) -> None:
    assert ask(service, 0, 0, "", "PUT", TUNNEL, *BODY)[0] == 201
    assert ask(service, STRANGER, STRANGER, str(group), "DELETE", TUNNEL)[0] == 204
    assert ask(service, STRANGER, group, "", "PUT", TUNNEL, *BODY)[0] == 201
    assert ask(service, 0, 0, "", "DELETE", TUNNEL)[0] == 204
    names = {record.get("identity") for record in service.records()}
    assert names >= {"root", f"uid {STRANGER} (group {GROUP})"}


@pytest.mark.root
def test_one_of_many_groups_is_enough(service: Running, group: int) -> None:
    many = ",".join(map(str, [*range(70000, 70200), group]))
    assert ask(service, STRANGER, STRANGER, many, "GET", "/v1/tunnels")[0] == 200
    many = ",".join(map(str, range(70000, 70200)))
    assert ask(service, STRANGER, STRANGER, many, "GET", "/v1/tunnels")[0] == 0


@pytest.mark.root
def test_others_do_not_get_in(service: Running) -> None:
    assert ask(service, STRANGER, STRANGER, "", "GET", "/v1/tunnels")[0] == 0
    assert service.unix.stat().st_mode & 0o777 == 0o660


@pytest.mark.root
def test_others_read_where_they_may(readable: Running, group: int) -> None:
    assert ask(readable, STRANGER, STRANGER, "", "GET", "/v1/tunnels")[0] == 200
    status, problem = ask(readable, STRANGER, STRANGER, "", "PUT", TUNNEL, *BODY)
    assert (status, problem["slug"]) == (403, "not-permitted")
    assert ask(readable, STRANGER, group, "", "PUT", TUNNEL, *BODY)[0] == 201
    assert ask(readable, STRANGER, STRANGER, "", "DELETE", TUNNEL)[0] == 403
    assert ask(readable, 0, 0, "", "DELETE", TUNNEL)[0] == 204


@pytest.mark.root
def test_what_workers_run_as_is_no_member_though_its_group_has_the_name(readable: Running, group: int) -> None:
    """A worker parses what comes from the network: should it be taken over, it may not reconfigure the host."""
    nobody = pwd.getpwnam("nobody").pw_uid
    assert ask(readable, nobody, group, str(group), "PUT", TUNNEL, *BODY)[0] == 403


@pytest.mark.root
def test_the_audit_names_who_it_was(service: Running, group: int) -> None:
    assert ask(service, STRANGER, group, "", "PUT", TUNNEL, *BODY)[0] == 201
    assert ask(service, 0, 0, "", "DELETE", TUNNEL)[0] == 204
    who = [entry.who for entry in Store(service.paths.state).audit(2)]
    assert who == ["root", f"uid {STRANGER} (group {GROUP})"]


@pytest.mark.root
def test_no_header_makes_somebody_else_of_a_client(readable: Running) -> None:
    for header in ("X-Remote-User: root", "X-Forwarded-For: 127.0.0.1", "Forwarded: for=root", "l2tpv3_client: root"):
        assert ask(readable, STRANGER, STRANGER, "", "PUT", TUNNEL, "-H", header, *BODY)[0] in (401, 403)


@pytest.mark.root
def test_a_token_goes_before_who_one_is(readable: Running) -> None:
    writer, reader = readable.token("writer", "write"), readable.token("reader")
    with_token = ("-H", f"Authorization: Bearer {writer}")
    assert ask(readable, STRANGER, STRANGER, "", "PUT", TUNNEL, *BODY, *with_token)[0] == 201
    with_token = ("-H", f"Authorization: Bearer {reader}")
    assert ask(readable, 0, 0, "", "DELETE", TUNNEL, *with_token)[0] == 403
    assert ask(readable, 0, 0, "", "DELETE", TUNNEL, "-H", "Authorization: Bearer nonsense")[0] == 401
    assert ask(readable, 0, 0, "", "DELETE", TUNNEL)[0] == 204


@pytest.mark.root
def test_a_service_of_an_ordinary_user_is_that_users_alone() -> None:
    with home() as one:
        one.home.chmod(0o777)
        one.log.touch()
        one.log.chmod(0o666)
        one.start("--log-format", "json", before=["setpriv", "--reuid=64124", "--regid=64124", "--clear-groups"])
        one.wait_ready()
        assert ask(one, 64124, 64124, "", "GET", "/v1/tunnels")[0] == 200
        assert ask(one, STRANGER, STRANGER, "", "GET", "/v1/tunnels")[0] == 0
        assert one.stop() == 0


def test_the_kernel_tells_pid_user_and_groups() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = peer_of(ours)
    assert peer is not None
    assert (peer.pid, peer.uid, peer.gid) == (os.getpid(), os.getuid(), os.getgid())
    assert peer.groups == {os.getgid(), *os.getgroups()}


def test_tcp_has_no_such_thing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert peer_of(client) is None
