"""wireguard-go, WireGuard outside of the kernel: start it, ask it, configure it.

Each of its processes has one netdev, a TUN, and a unix socket /run/wireguard/NETDEV.sock for a plain text protocol
(www.wireguard.com/xplatform). It ends by itself when its netdev is removed.

Those sockets are in one folder for all network namespaces, while root in any of them can give a netdev the name that
one has in another. So a process is only taken for a netdev's when it runs in the netdev's namespace.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from l2tpv3.linux.netns import inside
from l2tpv3.linux.readable import wait_readable
from l2tpv3.linux.tap import TUNSETPERSIST
from l2tpv3.linux.unix_peer import peer_pid, runs_in
from l2tpv3.linux.wireguard import Device, Endpoint, Peer, Settings
from l2tpv3.model import wireguard as keys

_FOLDER: Final = Path("/run/wireguard")
_START_S: Final = 5.0
_ANSWER_S: Final = 5.0
_END_S: Final = 5.0
_TUNSETIFF: Final = 0x400454CA  # linux/if_tun.h
_IFF_TUN, _IFF_NO_PI, _IFF_TUN_EXCL = 0x0001, 0x1000, 0x8000
_ifreq = struct.Struct("16sH22x")
_EVEN_IF_THE_KERNEL_HAS_IT: Final = {"WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD": "1"}
_ANSWER_MAX: Final = 1 << 20
_PROGRAM_PATH: Final = "/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin"


def program() -> str | None:
    """Where wireguard-go is; None where it is not installed."""
    return shutil.which("wireguard-go", path=f"{os.environ.get('PATH', '')}:{_PROGRAM_PATH}")


@contextlib.contextmanager
def new_tun(ifname: str, netns: str | None) -> Iterator[None]:
    """Make a TUN, down, for the block to set an owner tag; it stays after the block until it is deleted.

    Where the block raises, or this process is killed in it, there is none. Raises OSError: EBUSY where that name is
    taken. It is made before a process runs for it, and stays when that one is killed: packets that are routed to it
    then go nowhere. The process sets its own flags when it attaches to it.
    """
    with inside(netns):
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(tun, _TUNSETIFF, _ifreq.pack(ifname.encode("ascii"), _IFF_TUN | _IFF_NO_PI | _IFF_TUN_EXCL))
        yield
        fcntl.ioctl(tun, TUNSETPERSIST, 1)
    finally:
        os.close(tun)


def is_name_in_use(ifname: str) -> bool:
    """Whether a process answers for a netdev of that name in any namespace: no other process can then."""
    try:
        with _connected(ifname):
            return True
    except OSError:
        return False


def start(ifname: str, netns: str | None) -> None:
    """Start a process for a TUN in a namespace; it answers when this returns. Raises OSError: why it does not."""
    import subprocess

    command = program()
    if command is None:
        raise FileNotFoundError(errno.ENOENT, "wireguard-go is not installed")
    environment = {"PATH": _PROGRAM_PATH, "LOG_LEVEL": "silent", **_EVEN_IF_THE_KERNEL_HAS_IT}
    with inside(netns):
        process = subprocess.Popen(
            [command, "--foreground", ifname],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, cwd="/", env=environment,
        )  # fmt: skip
    if _answers(ifname, netns, lambda: process.poll() is None):
        process.returncode = 0  # it goes on without us: subprocess shall not wait for it, nor warn
        return
    process.kill()
    raise OSError(errno.EIO, f"wireguard-go does not run (exit code {process.wait()})")


def _answers(ifname: str, netns: str | None, lives: Callable[[], bool]) -> bool:
    """Whether a process that has only just been started answers for a netdev. It is waited for while it `lives`."""
    give_up = time.monotonic() + _START_S
    while True:
        with contextlib.suppress(OSError):
            device(ifname, netns)
            return True
        if not lives() or time.monotonic() >= give_up:
            return False
        time.sleep(0.01)


def pid_of(ifname: str, netns: str | None) -> int | None:
    """The process that answers for a netdev of that namespace; None where none does."""
    try:
        with _connected(ifname) as one:
            pid = peer_pid(one)
    except OSError:
        return None
    return pid if runs_in(Path(f"/proc/{pid}"), netns) else None


def device(ifname: str, netns: str | None) -> Device:
    """What a netdev of that namespace is configured with and does. Raises OSError where nobody answers for it."""
    said = _ask(ifname, netns, "get=1\n\n")
    try:
        return _device(said)
    except ValueError as error:
        raise OSError(errno.EBADMSG, "wireguard-go does not answer as agreed") from error


def _device(said: list[tuple[str, str]]) -> Device:
    key, port = b"", 0
    peers: list[dict[str, str]] = []
    for word, value in said:
        if word == "public_key":
            peers.append({})
        if word == "private_key":
            key = keys.public_key(bytes.fromhex(value)) if value.strip("0") else b""
        elif word == "listen_port":
            port = int(value)
        elif peers:
            peers[-1][word] = value
    return Device(key, port, tuple(map(_peer, peers)))


def configure(ifname: str, netns: str | None, wanted: Settings) -> None:
    """Set a netdev's key, port and peers to what is wanted; peers that stay keep their session. Raises OSError."""
    there = device(ifname, netns)
    lines = []
    if there.public_key != wanted.public_key:
        lines.append(f"private_key={wanted.private_key.hex()}")
    if there.listen_port != wanted.listen_port:
        lines.append(f"listen_port={wanted.listen_port}")
    if wanted.peer is not None:
        lines += [f"public_key={wanted.peer.hex()}"]
        if wanted.endpoint is not None:
            lines.append(f"endpoint={_written(wanted.endpoint)}")
        lines += [f"persistent_keepalive_interval={wanted.keepalive_s}", "replace_allowed_ips=true"]
        lines.append(f"allowed_ip={wanted.allowed}/128")
    # The new peer has taken the address over from the old one by now: no packet to it ever finds no peer.
    for one in there.peers:
        if one.public_key != wanted.peer:
            lines += [f"public_key={one.public_key.hex()}", "remove=true"]
    _ask(ifname, netns, "set=1\n" + "".join(f"{line}\n" for line in lines) + "\n")


def end(ifname: str, netns: str | None) -> None:
    """End the process of a netdev of that namespace, also one that has only just been started; its TUN stays."""
    for process in _processes(ifname, netns):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        wait_readable([process], _END_S)
        os.close(process)
    try:
        with _connected(ifname):
            return  # a process in another namespace has it
    except ConnectionRefusedError:
        (_FOLDER / f"{ifname}.sock").unlink(missing_ok=True)
    except OSError:
        return  # there is none


def _processes(ifname: str, netns: str | None) -> Iterator[int]:
    """A pidfd of each process that was started as `start` does for that netdev."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _is_of(folder, ifname, netns):
            try:
                process = os.pidfd_open(int(folder.name))
            except ProcessLookupError:
                continue
            if _is_of(folder, ifname, netns):  # and not another one by now, with the same pid
                yield process
            else:
                os.close(process)


def _is_of(process: Path, ifname: str, netns: str | None) -> bool:
    """Whether that folder of /proc is of a process that was started as `start` does."""
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    named = words[0].endswith(b"/wireguard-go") and words[1:3] == [b"--foreground", ifname.encode("ascii")]
    return named and runs_in(process, netns)


@contextlib.contextmanager
def _connected(ifname: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(_ANSWER_S)
        one.connect(str(_FOLDER / f"{ifname}.sock"))
        yield one


def _ask(ifname: str, netns: str | None, request: str) -> list[tuple[str, str]]:
    """Send a request; the answer's words and values, in their order. Raises OSError, also with the errno it tells."""
    with _connected(ifname) as one:
        if not runs_in(Path(f"/proc/{peer_pid(one)}"), netns):
            raise ConnectionRefusedError(errno.ECONNREFUSED, "the wireguard-go of that name is another namespace's")
        one.sendall(request.encode("ascii"))
        answer = b""
        while not answer.endswith(b"\n\n"):
            try:
                more = one.recv(65536)
            except TimeoutError as error:
                raise OSError(errno.ETIMEDOUT, "wireguard-go does not answer") from error
            if not more or len(answer) > _ANSWER_MAX:
                raise OSError(errno.EBADMSG, "wireguard-go does not answer as agreed")
            answer += more
    pairs = [line.partition("=") for line in answer.decode("ascii", "replace").splitlines() if line]
    said = [(word, value) for word, _, value in pairs]
    refusal = next((value for word, value in said if word == "errno"), "")
    if refusal != "0":
        number = abs(int(refusal)) if refusal.lstrip("-").isdigit() else errno.EBADMSG
        raise OSError(number, f"wireguard-go refused it ({os.strerror(number)})")
    return [(word, value) for word, value in said if word != "errno"]


def _peer(words: dict[str, str]) -> Peer:
    return Peer(
        public_key=bytes.fromhex(words.get("public_key", "")),
        endpoint=_read(words["endpoint"]) if "endpoint" in words else None,
        keepalive_s=int(words.get("persistent_keepalive_interval", "0")),
        handshake=int(words.get("last_handshake_time_sec", "0")) or None,
        rx_bytes=int(words.get("rx_bytes", "0")),
        tx_bytes=int(words.get("tx_bytes", "0")),
        allowed=(words["allowed_ip"],) if "allowed_ip" in words else (),
    )


def _read(text: str) -> Endpoint | None:
    address, _, port = text.rpartition(":")
    try:
        return Endpoint(ip_address(address.strip("[]")), int(port))
    except ValueError:
        return None


def _written(endpoint: Endpoint) -> str:
    plain = str(endpoint.address).partition("%")[0]
    if endpoint.address.version == 4:
        return f"{plain}:{endpoint.port}"
    return f"[{plain}%{endpoint.scope}]:{endpoint.port}" if endpoint.scope else f"[{plain}]:{endpoint.port}"
