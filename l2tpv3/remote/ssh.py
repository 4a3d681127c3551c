"""Runs a command of l2tpctl on another host over ssh: its output comes here, and signals go there."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any, Final, Protocol

from l2tpv3.errors import UnreachableError
from l2tpv3.remote.sent_command import HANDSHAKE, INTERRUPT, PROTOCOL, SentCommand
from l2tpv3.remote.ssh_failure import broken_off, not_startable, other_protocol, unanswered
from l2tpv3.remote.ssh_target import Target

_NOISE_LINES, _LINE_BYTES = 200, 4096
_SSH_FAILED: Final = 255
_PIECE = 1 << 16
_LAST_WORDS_S: Final = 1.0
_IGNORING_INTERRUPTS: Final = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""Before the words of a program: it ignores Ctrl-C, which a terminal sends to all of its programs.

ssh leaves that as it is (client_loop() in its clientloop.c), and so lives to bring what the far end says at its end.
"""


OUTPUT_MAX = 256 << 20
"""Bytes of output that are read at most, where they are not passed on."""


class Sink(Protocol):
    """What bytes can be written to: a file, or LastBytes."""

    def write(self, data: bytes, /) -> object:
        """Take these bytes."""

    def flush(self) -> object:
        """Keep none of them back."""


class LastBytes:
    """Takes bytes as a file does, and keeps the last `most` of them: whoever sends them may send without end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.kept = b""

    def write(self, data: bytes, /) -> None:
        """Take bytes."""
        self.kept = (self.kept + data)[-self._most :]

    def flush(self) -> None:
        """Do nothing: there is nothing that these bytes would go on to."""


class SshCommand:
    """A command that runs on another host. Use it as a context manager: what still runs at its end is ended.

    stdout: where its output goes, as for subprocess.Popen. options: further ones for ssh, as `-o`, `BatchMode=yes`.
    Entering raises UnavailableError when ssh can't be run here.
    """

    def __init__(self, target: Target, *, stdout: int | IO[Any] | None = None, options: tuple[str, ...] = ()) -> None:
        self._target, self._stdout, self._options = target, stdout, options
        self._ssh: subprocess.Popen[bytes]
        self._copying: threading.Thread | None = None

    def __enter__(self) -> SshCommand:
        words = self._target.argv(*self._options)
        if shutil.which(words[0]) is None:
            raise not_startable(words[0], os.strerror(errno.ENOENT))
        try:
            self._ssh = subprocess.Popen(
                [*_IGNORING_INTERRUPTS, *words],
                stdin=subprocess.PIPE,
                stdout=self._stdout,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=self._target.here,  # a Ctrl-C is for this process, which says what becomes of it
            )
        except OSError as error:
            raise not_startable(words[0], error.strerror or "") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()
        if self._ssh.stdout is not None:
            self._ssh.stdout.close()  # whoever still writes to it is not to wait for room
        # Here it may have a change to undo, which takes what it takes. Over ssh, the far end does that by itself.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._ssh.wait(None if self._target.here else 2)
        if self._ssh.poll() is None:
            self._ssh.kill()
            self._ssh.wait()
        if self._copying is not None:
            self._copying.join(_LAST_WORDS_S)
        if self._copying is None or not self._copying.is_alive():  # else a program that ssh left behind still has it
            self._errors.close()

    @property
    def stdout(self) -> IO[bytes]:
        """The output, where `stdout` was subprocess.PIPE."""
        assert self._ssh.stdout is not None
        return self._ssh.stdout

    @property
    def _errors(self) -> IO[bytes]:
        assert self._ssh.stderr is not None
        return self._ssh.stderr

    def send(self, command: SentCommand) -> None:
        """Wait until l2tpctl answers at the far end, and have it begin.

        Raises UnreachableError, UnavailableError, NotPermittedError when it does not answer.
        """
        self.await_answer()
        self.write(command.line())

    def await_answer(self) -> None:
        """Wait until l2tpctl answers at the far end. Raises what `send` does."""
        noise: list[str] = []
        while line := self._errors.readline(_LINE_BYTES):
            text = line.decode("utf-8", "replace").rstrip()
            if text.startswith(HANDSHAKE):
                self._check_protocol(text)
                break
            noise = [*noise, text][-_NOISE_LINES:]
        else:
            raise unanswered(self._target, self._ssh.wait(), noise)

    def write(self, data: bytes) -> None:
        """Send something to the program at the far end. Raises UnreachableError when it is gone."""
        try:
            self._write(data)
        except BrokenPipeError as error:
            raise broken_off(self._target) from error

    def feed(self, script: bytes) -> None:
        """Have a shell at the far end read this, and nothing after it. What it answers is for `output` to tell."""
        with contextlib.suppress(BrokenPipeError):
            self._write(script)
        self._hang_up()

    def _check_protocol(self, text: str) -> None:
        words = text.removeprefix(HANDSHAKE).split()
        if words[:1] != [str(PROTOCOL)]:
            raise other_protocol(self._target, text)

    def errors(self) -> Iterator[bytes]:
        """Pieces of what it prints on its standard error, until its end."""
        while piece := self._errors.read(_PIECE):
            yield piece

    def output(self, errors: Sink | None = None, most: int = OUTPUT_MAX) -> bytes:
        """Read all that it prints, where `stdout` was subprocess.PIPE.

        errors: where its standard error is copied to meanwhile; None is this process's own. most: bytes.
        Raises UnreachableError when it prints more than `most`.
        """
        self.copy_errors(errors)
        text = bytearray()
        while piece := self.stdout.read(_PIECE):
            text += piece
            if len(text) > most:
                raise UnreachableError(f"--host {self._target.url}", f"it sends more than {most} bytes")
        if self._copying is not None:
            self._copying.join()
        return bytes(text)

    def give_up_after(self, seconds: float) -> threading.Timer:
        """End ssh when it still runs after that time; what waits for it then raises. The timer can be cancelled."""
        timer = threading.Timer(seconds, self._ssh.kill)
        timer.daemon = True
        timer.start()
        return timer

    def copy_errors(self, into: Sink | None) -> None:
        """Copy what it prints on its standard error, from now on and until its end, in a thread of its own."""
        self._copying = threading.Thread(target=_copy_errors, args=(self, into), daemon=True)
        self._copying.start()

    def interrupt(self) -> None:
        """Have the command interrupted as by Ctrl-C; it may have something to say yet."""
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._write(INTERRUPT)

    def status_of_ssh(self) -> int:
        """The exit status of ssh itself, once it has ended; below 0 it is the signal that ended it."""
        return self._ssh.wait()

    def exit_status(self) -> int:
        """The command's exit status, once it has ended. Raises UnreachableError when ssh was cut off before."""
        status = self._ssh.wait()
        if status == _SSH_FAILED or status < 0:
            raise broken_off(self._target)
        return status

    def _write(self, data: bytes) -> None:
        assert self._ssh.stdin is not None
        view = memoryview(data)
        while view:
            view = view[self._ssh.stdin.write(view) or 0 :]

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            assert self._ssh.stdin is not None
            self._ssh.stdin.close()


def run_there(target: Target, command: SentCommand, *, stdout: int | IO[Any] | None = None) -> int:
    """Run a command on another host as if it had been typed there, and give its exit status.

    stdout: where its output goes; None is this process's own. Ctrl-C interrupts it there, and a second one gives it up.
    Raises what SshCommand.send and exit_status raise.
    """
    with SshCommand(target, stdout=stdout) as running:
        running.send(command)
        try:
            _copy_errors(running)
        except KeyboardInterrupt:
            running.interrupt()
            _copy_errors(running)
        return running.exit_status()


def _copy_errors(running: SshCommand, into: Sink | None = None) -> None:
    """into: None is this process's own standard error."""
    sys.stderr.flush()
    stream: Sink = sys.stderr.buffer if into is None else into
    for piece in running.errors():
        stream.write(piece)
        stream.flush()
