"""Run the service until it is told to end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import uvicorn

from l2tpv3_api.server.protocol import Protocol


def run(app: Any, unix: Path) -> None:
    """Serve `app` on a unix socket until SIGTERM or Ctrl-C."""
    mask = os.umask(0o117)
    try:
        config = uvicorn.Config(
            app, uds=str(unix), http=Protocol, ws="none", lifespan="on", proxy_headers=False, server_header=False
        )
        uvicorn.Server(config).run()
    finally:
        os.umask(mask)
