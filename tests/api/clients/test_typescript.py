"""openapi-typescript makes types of /openapi.json with which openapi-fetch leads a tunnel, a session and a bridge.

It takes Node.js, npm and what npm fetches: some 50 MB. So only full runs have it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest

from l2tpv3 import Manager
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from tests.api.clients.running import run
from tests.api.served import served
from tests.own_network import machines
from tests.points import is_full

FOLDER = Path(__file__).with_name("typescript")

if is_full():

    @pytest.mark.slow
    def test_a_client_in_typescript(manager: Manager, tmp_path: Path) -> None:
        for file in FOLDER.iterdir():
            shutil.copy(file, tmp_path)
        with machines():
            run(tmp_path, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock")
        with served(create_app(Service(manager), guard=AllowAll())) as url:
            (tmp_path / "openapi.json").write_text(httpx.get(f"{url}/openapi.json").text)
            run(tmp_path, "npx", "openapi-typescript", "openapi.json", "--output", "l2tpv3.d.ts")
            run(
                tmp_path, "npx", "tsc", "--strict", "--noUncheckedIndexedAccess", "--target", "es2022",
                "--module", "nodenext", "--skipLibCheck", "life.ts",
            )  # fmt: skip
            run(tmp_path, "node", "life.js", url)
