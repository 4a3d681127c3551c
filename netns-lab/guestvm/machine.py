"""QEMU: its arguments, its streams, its end."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from guestvm.kernel import Kernel
from guestvm.needs import find

_BOOT_DEADLINE_S = 600.0
_KVM_BOOT_DEADLINE_S = 15.0
_CONSOLE_KEPT_BYTES = 16_384


@dataclass(frozen=True)
class Plan:
    """What to run: the kernel, the shared folder, the sizes, whether the streams are a terminal and systemd boots."""

    kernel: Kernel
    share: Path
    memory_mib: int
    cpus: int
    timeout_s: float
    tty: bool
    systemd: bool
    verbose: bool


@dataclass(frozen=True)
class Outcome:
    """How it ended: the command's status, or None with the reason; and whether the guest came up at all."""

    status: int | None
    reason: str
    came_up: bool
    console: bytes


@dataclass
class _Stream:
    """One socket of QEMU's and what is done with the bytes that come out of it."""

    name: str
    take: Callable[[bytes], None]
    ours: socket.socket = field(init=False)
    theirs: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()


class Machine:
    """One guest from start to end. `run` returns once the command has ended, or the guest, or its time."""

    def __init__(self, plan: Plan, initrd: int, *, kvm: bool) -> None:
        """`initrd` is an open file descriptor."""
        self._plan = plan
        self._initrd = initrd
        self._kvm = kvm
        self._console = bytearray()
        self._reports = bytearray()
        self._up = False
        self._status: int | None = None
        self._streams = [_Stream("console", self._take_console), _Stream("report", self._take_report)]
        if plan.tty:
            self._streams.append(_Stream("tty", _to(1)))
        else:
            self._streams += [_Stream("out", _to(1)), _Stream("err", _to(2))]

    def run(self) -> Outcome:
        """Boot, relay the streams until the command's status has come, and leave no process."""
        passed = [self._initrd, *(stream.theirs.fileno() for stream in self._streams)]
        # setpriv: QEMU goes when we go, even by SIGKILL. Its own session: Ctrl-C reaches us and we end it.
        argv = [find("setpriv"), "--pdeathsig", "KILL", *self._arguments()]
        process = subprocess.Popen(
            argv, pass_fds=passed, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            for stream in self._streams:
                stream.theirs.close()
            reason = self._relay(process)
        finally:
            process.kill()
            process.wait()
            for stream in self._streams:
                stream.ours.close()
        return Outcome(self._status, reason, self._up, bytes(self._console))

    def _relay(self, process: subprocess.Popen[bytes]) -> str:
        """Move bytes until the end; the reason of an end without a status."""
        assert process.stdout is not None
        began = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for stream in self._streams:
                selector.register(stream.ours, selectors.EVENT_READ, stream)
            selector.register(process.stdout, selectors.EVENT_READ, None)
            if self._plan.tty:
                selector.register(0, selectors.EVENT_READ, self._streams[-1])
            while self._status is None:
                deadline_s, reason = self._deadline()
                left_s = began + deadline_s - time.monotonic()
                if left_s <= 0:
                    return reason
                for key, _ in selector.select(left_s):
                    if key.fd == 0 and self._plan.tty:
                        _pass_on(0, key.data.ours)
                    elif key.data is None:
                        said = os.read(key.fd, 65_536)
                        if not said:
                            return "the guest ended by itself" if self._up else "QEMU ended before the guest was up"
                        self._take_console(said)
                    elif not _drain(key.data):
                        selector.unregister(key.fileobj)
        for stream in self._streams:  # the status is sent after everything else was
            _drain(stream)
        return ""

    def _deadline(self) -> tuple[float, str]:
        """Seconds since the start when it is over, and what to say then."""
        if self._up:
            return self._plan.timeout_s, f"timed out after {self._plan.timeout_s:g} s"
        boot_s = _KVM_BOOT_DEADLINE_S if self._kvm else _BOOT_DEADLINE_S
        return boot_s, f"the guest was not up after {boot_s:g} s"

    def _take_console(self, said: bytes) -> None:
        if self._plan.verbose:
            _to(2)(said)
        self._console += said
        del self._console[:-_CONSOLE_KEPT_BYTES]

    def _take_report(self, said: bytes) -> None:
        self._reports += said
        while b"\n" in self._reports:
            line, _, rest = self._reports.partition(b"\n")
            self._reports = bytearray(rest)
            word, *values = line.decode().split()
            if word == "up":
                self._up = True
            elif word == "status":
                self._status = int(values[0])

    def _arguments(self) -> list[str]:
        plan = self._plan
        # Without AVX: QEMU emulates each of its instructions by a call, so programs take a quarter less time with SSE.
        emulated = ["-accel", "tcg,thread=multi", "-cpu", "max,-avx,-avx2"]
        accelerator = ["-accel", "kvm", "-cpu", "host"] if self._kvm else emulated
        # Mitigations, memory set to zero and addresses chosen at random cost time and guard nothing here: QEMU keeps
        # what it has translated by address, so that a program that is where it was before is not translated again.
        append = "console=ttyS0 loglevel=4 panic=-1 random.trust_cpu=on no_timer_check"
        append += " mitigations=off init_on_alloc=0 nokaslr norandmaps"
        if plan.systemd:  # the disks of the machine are none of the guest's
            append += " fstab=no systemd.gpt_auto=no systemd.firstboot=no"
        if not plan.verbose:
            append += " quiet"
        arguments = [
            find("qemu-system-x86_64"), "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            *accelerator, "-m", str(plan.memory_mib), "-smp", str(plan.cpus),
            "-kernel", str(plan.kernel.image), "-initrd", f"/proc/self/fd/{self._initrd}", "-append", append,
            *_shared_folder("machine", Path("/"), read_only=True),
            *_shared_folder("modules", plan.kernel.modules, read_only=True),
            *_shared_folder("project", plan.share, read_only=False),
            "-device", "virtio-serial-pci,max_ports=4",
        ]  # fmt: skip
        for stream in self._streams:
            arguments += ["-chardev", f"socket,id={stream.name},fd={stream.theirs.fileno()}"]
        arguments += ["-serial", "chardev:console", "-device", "virtserialport,nr=1,chardev=report,name=report"]
        if plan.tty:
            arguments += ["-device", "virtconsole,nr=0,chardev=tty,name=tty"]
        else:
            arguments += ["-device", "virtserialport,nr=2,chardev=out,name=out"]
            arguments += ["-device", "virtserialport,nr=3,chardev=err,name=err"]
        return arguments


def _shared_folder(tag: str, path: Path, *, read_only: bool) -> list[str]:
    # multidevs=remap: files of several file systems may share an inode number, which the guest would take for one file
    where = str(path).replace(",", ",,")
    option = f"local,id={tag},path={where},security_model=none,multidevs=remap"
    return [
        "-fsdev",
        option + (",readonly=on" if read_only else ""),
        "-device",
        f"virtio-9p-pci,fsdev={tag},mount_tag={tag}",
    ]


def _to(descriptor: int) -> Callable[[bytes], None]:
    def write(said: bytes) -> None:
        left = memoryview(said)
        while left:
            left = left[os.write(descriptor, left) :]

    return write


def _pass_on(descriptor: int, to: socket.socket) -> None:
    to.sendall(os.read(descriptor, 4096))


def _drain(stream: _Stream) -> bool:
    """Take what a stream holds now; False when it has ended."""
    with contextlib.suppress(BlockingIOError):
        while said := stream.ours.recv(65_536, socket.MSG_DONTWAIT):
            stream.take(said)
        return False
    return True


def kvm_works(cache: Path) -> bool:
    """Whether /dev/kvm can be opened and has not failed us before on this kernel (see `kvm_failed`)."""
    return os.access("/dev/kvm", os.R_OK | os.W_OK) and not _kvm_verdict(cache).exists()


def kvm_failed(cache: Path) -> None:
    """Note that a guest did not boot under KVM: some machines have a /dev/kvm that cannot run a stock kernel."""
    _kvm_verdict(cache).touch()
    print("guest: /dev/kvm does not boot it here; emulating from now on", file=sys.stderr)


def _kvm_verdict(cache: Path) -> Path:
    return cache / f"no-kvm-{os.uname().release}"
