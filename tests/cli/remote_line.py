"""l2tpctl --host in this process, against a real service: uvicorn on a unix socket, in a thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from l2tpv3.cli import main
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from tests.cli.command_line import CommandLine
from tests.waiting import PATIENCE_S


class RemoteLine(CommandLine):
    """Runs commands over a service of one manager."""

    remote = True

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str], url: str) -> None:
        super().__init__(folder, capture)
        self.url = url

    def app(self) -> FastAPI:
        """What serves the manager, to anyone."""
        return create_app(Service(self.manager), guard=AllowAll())

    def _main(self, words: list[str]) -> int:
        return main(["--host", self.url, *words])


@contextlib.contextmanager
def served(app: FastAPI, socket: Path) -> Iterator[uvicorn.Server]:
    """The app, for the length of the block."""
    config = uvicorn.Config(app, uds=str(socket), log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        give_up = time.monotonic() + PATIENCE_S
        while not server.started:
            assert thread.is_alive() and time.monotonic() < give_up
            time.sleep(0.005)
        yield server
    finally:
        server.should_exit = True
        thread.join()
