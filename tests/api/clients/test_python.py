"""openapi-python-client makes a client of /openapi.json: all of it, with types that hold, for a thing's whole life."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import httpx
import pytest

from l2tpv3 import Manager
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from tests.api.clients.running import run
from tests.api.served import served

LIFE = Path(__file__).with_name("python") / "life.py"
SETTINGS = LIFE.with_name("mypy.ini")
UNKNOWN_TO_IT = {"application/toml", "application/x-pcapng"}


@pytest.mark.slow
def test_a_client_in_python(manager: Manager, tmp_path: Path) -> None:
    with served(create_app(Service(manager), guard=AllowAll())) as url:
        document = tmp_path / "openapi.json"
        document.write_text(httpx.get(f"{url}/openapi.json").text)
        said = run(
            tmp_path, sys.executable, "-m", "openapi_python_client", "generate", "--path", document, "--meta", "none",
            "--output-path", tmp_path / "l2tpv3_client",
        )  # fmt: skip
        unknown = set(re.findall(r"Unsupported content[ _]type ([a-z/+-]+)", said))
        assert said.count("WARNING") == 3 and unknown == UNKNOWN_TO_IT, said
        run(tmp_path, sys.executable, "-m", "mypy", "--config-file", SETTINGS, "l2tpv3_client", LIFE)
        run(tmp_path, sys.executable, LIFE, url)
