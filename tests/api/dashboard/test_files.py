"""The dashboard's files, without a browser."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import l2tpv3_api
from l2tpv3.documents.names import name_of
from l2tpv3.model.fields import LINK_TYPES, SESSION, TUNNEL
from l2tpv3_api.routes.dashboard import assets

_FILES = Path(l2tpv3_api.__file__).with_name("dashboard")
_OWN = [path for path in sorted(_FILES.rglob("*")) if path.is_file() and "vendor" not in path.parts]


def test_the_page_comes_with_its_headers(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", _OWN, ids=lambda path: path.name)
def test_each_file_is_served_as_it_is(client: TestClient, path: Path) -> None:
    url = f"/dashboard/{path.relative_to(_FILES)}"
    plain = client.get(url, headers={"Accept-Encoding": "identity"})
    assert plain.content == path.read_bytes()
    assert plain.headers["x-content-type-options"] == "nosniff"
    with client.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    if packed.headers.get("content-encoding") == "gzip":
        assert gzip.decompress(raw) == path.read_bytes()
        assert packed.headers["etag"] != plain.headers["etag"]
    else:
        assert raw == path.read_bytes()


def test_a_file_that_is_there_already_is_not_sent_again(client: TestClient) -> None:
    etag = client.get("/dashboard/main.js").headers["etag"]
    again = client.get("/dashboard/main.js", headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    assert client.get("/dashboard/main.js", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "path", ["nothing.js", "../app.py", "..%2fapp.py", "%2e%2e/app.py", "vendor", "", "/etc/passwd"]
)
def test_there_is_nothing_else(client: TestClient, path: str) -> None:
    answer = client.get(f"/dashboard/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", _OWN, ids=lambda path: path.name)
def test_nothing_is_fetched_from_elsewhere(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|[\"'(]//", text), "an address of another site"
    assert "innerHTML" not in text
    assert not re.search(r"\son[a-z]+=\"|style=\"|<style|javascript:", text), "inline code"


def test_modules_import_only_what_ships() -> None:
    for path in _OWN:
        for name in re.findall(r"from '(\.[^']+)'", path.read_text()):
            wanted = (path.parent / name).resolve().relative_to(_FILES)
            assert str(wanted) in assets(), f"{path.name} imports {name}"


def test_forms_are_made_from_the_table_of_fields(client: TestClient) -> None:
    text = client.get("/dashboard/fields.js").text
    made = json.loads(re.search(r"^export const FORMS = (.*);$", text, re.MULTILINE)[1])  # type: ignore[index]
    assert [one["name"] for one in made["tunnel"]] == [name_of(field.word) for field in TUNNEL]
    assert [one["name"] for one in made["session"]] == [name_of(field.word) for field in SESSION]
    assert {*LINK_TYPES} < {*made}
    assert [one["name"] for one in made["port"]] == ["over", "carrier", "over_netns", "description"]
    (encap,) = [one for one in made["tunnel"] if one["name"] == "encap"]
    assert encap["options"] == [["udp", "UDP"], ["ip", "IP, protocol 115"]]
    assert not any("--" in one.get("hint", "") for form in made.values() for one in form)


def test_what_others_wrote_says_whence_and_under_which_licence() -> None:
    for folder in (_FILES / "vendor" / "uplot", Path(__file__).with_name("vendor")):
        assert "npm pack" in (folder / "VENDORED.md").read_text()
        assert (folder / "LICENSE").stat().st_size > 500
    version = re.search(r"\(v([\d.]+)\)", (_FILES / "vendor/uplot/uPlot.esm.js").read_text())
    assert version is not None
    assert f"uPlot {version[1]}" in (_FILES / "vendor/uplot/VENDORED.md").read_text()
