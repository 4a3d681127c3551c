"""wireguard-go, WireGuard outside of the kernel: start it, ask it, configure it.

Each of its processes has one netdev, a TUN, and a unix socket /run/wireguard/NETDEV.sock for a plain text protocol
(www.wireguard.com/xplatform). It ends by itself when its netdev is removed.
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


def create_tun(ifname: str, netns: str | None) -> None:
    """Make a TUN, down, which stays until it is deleted. Raises OSError: EBUSY where there is one.

    It is made before a process runs for it, so that it can be found from then on, and stays when that one is killed:
    packets that are routed to it then go nowhere. The process sets its own flags when it attaches to it.
    """
    with inside(netns):
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(tun, _TUNSETIFF, _ifreq.pack(ifname.encode("ascii"), _IFF_TUN | _IFF_NO_PI | _IFF_TUN_EXCL))
        fcntl.ioctl(tun, TUNSETPERSIST, 1)
    finally:
        os.close(tun)


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
    if answers(ifname, lambda: process.poll() is None):
        process.returncode = 0  # it goes on without us: subprocess shall not wait for it, nor warn
        return
    process.kill()
    raise OSError(errno.EIO, f"wireguard-go does not run (exit code {process.wait()})")


def answers(ifname: str, lives: Callable[[], bool] = lambda: True) -> bool:
    """Whether a process answers for a netdev; one that has only just been started is waited for while it `lives`."""
    give_up = time.monotonic() + _START_S
    while True:
        with contextlib.suppress(OSError):
            device(ifname)
            return True
        if not lives() or time.monotonic() >= give_up:
            return False
        time.sleep(0.01)


def pid_of(ifname: str) -> int | None:
    """The process that answers for a netdev; None where none does."""
    try:
        with _connected(ifname) as one:
            return int(struct.unpack("=iII", one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]) or None
    except OSError:
        return None


def device(ifname: str) -> Device:
    """What a netdev is configured with and does. Raises OSError where nobody answers for it."""
    said = _ask(ifname, "get=1\n\n")
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


def configure(ifname: str, wanted: Settings) -> None:
    """Set a netdev's key, port and peers to what is wanted; peers that stay keep their session. Raises OSError."""
    there = device(ifname)
    lines = []
    if there.public_key != wanted.public_key:
        lines.append(f"private_key={wanted.private_key.hex()}")
    if there.listen_port != wanted.listen_port:
        lines.append(f"listen_port={wanted.listen_port}")
    for one in there.peers:
        if one.public_key != wanted.peer:
            lines += [f"public_key={one.public_key.hex()}", "remove=true"]
    if wanted.peer is not None:
        lines += [f"public_key={wanted.peer.hex()}"]
        if wanted.endpoint is not None:
            lines.append(f"endpoint={_written(wanted.endpoint)}")
        lines += [f"persistent_keepalive_interval={wanted.keepalive_s}", "replace_allowed_ips=true"]
        lines.append(f"allowed_ip={wanted.allowed}/128")
    _ask(ifname, "set=1\n" + "".join(f"{line}\n" for line in lines) + "\n")


def end(ifname: str) -> None:
    """End the process of a netdev, also one that has only just been started; its TUN stays."""
    for process in _processes(ifname):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        wait_readable([process], _END_S)
        os.close(process)
    (_FOLDER / f"{ifname}.sock").unlink(missing_ok=True)


def _processes(ifname: str) -> Iterator[int]:
    """A pidfd of each process that was started as `start` does for that netdev, whose name nobody else takes."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _is_of(folder, ifname):
            try:
                process = os.pidfd_open(int(folder.name))
            except ProcessLookupError:
                continue
            if _is_of(folder, ifname):  # and not another one by now, with the same pid
                yield process
            else:
                os.close(process)


def _is_of(folder: Path, ifname: str) -> bool:
    try:
        words = (folder / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0].endswith(b"/wireguard-go") and words[1:3] == [b"--foreground", ifname.encode("ascii")]


@contextlib.contextmanager
def _connected(ifname: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(_ANSWER_S)
        one.connect(str(_FOLDER / f"{ifname}.sock"))
        yield one


def _ask(ifname: str, request: str) -> list[tuple[str, str]]:
    """Send a request; the answer's words and values, in their order. Raises OSError, also with the errno it tells."""
    with _connected(ifname) as one:
        one.sendall(request.encode("ascii"))
        answer = b""
        while not answer.endswith(b"\n\n"):
            more = one.recv(65536)
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
