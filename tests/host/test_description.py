"""A description is on record, is told everywhere, and is changed without anything being touched."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.config import load
from l2tpv3.config.toml_writer import dump
from l2tpv3.documents.link import link_to_json
from l2tpv3.documents.tunnel import tunnel_to_json
from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.peer import commands
from l2tpv3.metrics.host import exposition, families
from l2tpv3.model.desired import DesiredLink
from l2tpv3.model.fields import EVERY, LINK, SESSION, TUNNEL
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from tests.memory_host import Host, host

TEXT = """It's "the fibre", über 100 % \\ $x"""
PLAIN = {"tx-cookie": "none", "rx-cookie": "none"}


@pytest.fixture
def siteb() -> Iterator[Host]:
    with host() as found:
        found.manager.add_tunnel("siteb", {"remote": "127.0.0.2", "description": TEXT})
        found.manager.add_session("siteb", "lan", {**PLAIN, "ifname": "l2tpeth0", "mtu": 1400, "description": TEXT})
        found.manager.links.add("v5", {"type": "vlan", "over": "siteb/lan", "id": 5, "description": TEXT})
        yield found


def descriptions(found: Host) -> list[str | None]:
    tunnel, link = found.manager.tunnel("siteb"), found.manager.links.get("v5")
    return [tunnel.spec.description, tunnel.sessions[0].spec.description, link.spec.description]


@pytest.mark.parametrize("new", ["another", None])
def test_a_change_takes_no_step(siteb: Host, new: str | None) -> None:
    siteb.countdown.at = 1  # whatever touches the host fails
    changes = [
        siteb.manager.set_tunnel("siteb", {"description": new}),
        siteb.manager.set_session("siteb", "lan", {"description": new}),
        siteb.manager.links.set("v5", {"description": new}),
    ]
    assert descriptions(siteb) == [new] * 3
    assert not any(change.recreated or change.lost for change in changes)
    told = [entry.what for entry in siteb.manager.audit(3)]
    assert [line.partition(": ")[0] for line in told] == ["~ link v5", "~ session siteb/lan", "~ tunnel siteb"]


def test_no_datapath_makes_anything_anew_for_it() -> None:
    for fields in (TUNNEL, SESSION, LINK):
        (field,) = [one for one in fields if one.word == "description"]
        assert (field.applied_by, field.in_place) == ("record", EVERY)


def test_it_is_told(siteb: Host) -> None:
    tunnel, link = siteb.manager.tunnel("siteb", secrets=True), siteb.manager.links.get("v5")
    assert tunnel_to_json(tunnel)["wanted"]["description"] == TEXT
    assert link_to_json(link)["wanted"]["description"] == TEXT
    text = exposition(families([tunnel], links=[link]))
    label = TEXT.replace("\\", "\\\\").replace('"', '\\"')
    assert text.count(f'description="{label}"') == 3
    assert text.count("description=") == 3, "in no series but _info"


def test_files_have_it(siteb: Host, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    tunnel, link = siteb.manager.tunnel("siteb", secrets=True), siteb.manager.links.get("v5")
    file.write_text(dump([(tunnel.spec, [tunnel.sessions[0].spec]), DesiredLink.from_spec(link.spec)]))
    wanted = load([file])
    assert [one.words["description"] for one in wanted] == [TEXT, TEXT]
    assert wanted[0].sessions[0].words["description"] == TEXT  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("dialect", "line"),
    [
        ("l2tpctl", """--description 'It'"'"'s "the fibre", über 100 % \\ $x'"""),
        ("vyos", """set interfaces l2tpv3 l2tpeth0 description 'It'"'"'s "the fibre", über 100 % \\ $x'"""),
        ("routeros", '''comment="It's \\"the fibre\\", über 100 % \\\\ \\$x"'''),
        ("networkd", f"Description={TEXT}"),
    ],
)
def test_the_other_end_has_it(siteb: Host, dialect: str, line: str) -> None:
    told = commands(siteb.manager.tunnel("siteb", secrets=True), dialect)
    assert line in "\n".join(told.lines)


def test_cisco_has_it_on_the_port(siteb: Host) -> None:
    siteb.manager.set_tunnel("siteb", {"encap": "ip"})
    siteb.manager.set_session("siteb", "lan", {"sublayer": "none"})
    told = commands(siteb.manager.tunnel("siteb", secrets=True), "cisco")
    assert f" description {TEXT}" in told.lines


@pytest.mark.parametrize("wrong", ["a\tb", "a\nb", "a" * 256, "\x1b[2J", 5])
@pytest.mark.parametrize(
    "make",
    [
        lambda words: TunnelSpec.from_words({"name": "a", "remote": "192.0.2.1", **words}),
        lambda words: SessionSpec.from_words({"name": "a", "ifname": "a", **words}),
        lambda words: LinkSpec.from_words({"name": "a", "type": "bridge", **words}),
    ],
)
def test_what_it_can_not_be(make: Any, wrong: Any) -> None:
    with pytest.raises(InvalidValueError) as refused:
        make({"description": wrong})
    assert refused.value.field == "description"
    assert make({"description": "a" * 255}).description == "a" * 255
    assert make({"description": ""}).description is None


def test_a_record_of_a_version_that_had_none_opens(siteb: Host) -> None:
    """What was on record stays as it was, and a description can be given to it."""
    before = siteb.manager.records()
    database = siteb.manager.paths.state / "l2tpv3.db"
    with sqlite3.connect(database) as db:
        for table in ("tunnel", "session", "link"):
            for rowid, text in db.execute(f"SELECT rowid, spec FROM {table}").fetchall():
                spec = json.loads(text)
                assert spec.pop("description") == TEXT
                db.execute(f"UPDATE {table} SET spec = ? WHERE rowid = ?", (json.dumps(spec), rowid))
    db.close()
    assert descriptions(siteb) == [None, None, None]
    siteb.countdown.at = 1
    siteb.manager.set_tunnel("siteb", {"description": TEXT})
    siteb.manager.set_session("siteb", "lan", {"description": TEXT})
    siteb.manager.links.set("v5", {"description": TEXT})
    assert siteb.manager.records() == before
