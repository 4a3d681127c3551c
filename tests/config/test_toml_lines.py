"""The line index points at the line on which a key was written, whatever the document looks like."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.config.toml_lines import LineIndex
from l2tpv3.model.source import KeyPath
from tests.config.authored import Author, key_paths
from tests.properties import MANY, SOME


@SOME
@given(st.data())
def test_each_key_is_on_the_line_where_it_was_written(data: st.DataObject) -> None:
    author = Author(data)
    author.document()
    text = author.text.replace("\r\n", "\n")
    index = LineIndex(text)
    for path in key_paths(tomllib.loads(text)):
        assert index.line(path) == author.lines[path], path


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("tunnel",), 2),
        (("tunnel", "a"), 5),
        (("tunnel", "a", "session", "lan"), 2),
        (("tunnel", "a", "session", "lan", "id"), 3),
        (("tunnel", "a", "remote"), 6),
        (("tunnel", "a", "session", "wan"), 7),
        (("tunnel", "a", "session", "wan", "address", 1), 9),
        (("tunnel", "a", "session", "wan", "mtu"), 10),
        (("tunnel", "a", "no-such", "key"), 5),
        (("nothing",), 1),
    ],
)
def test_a_table_below_its_sessions_and_a_dotted_key(path: KeyPath, line: int) -> None:
    text = """
[tunnel.a.session.lan]
id = 3

[tunnel.a] # its heading, not the first that implies it
remote = "192.0.2.2"
session.wan.address = [ "10.0.0.1/24",
  # and
  "10.0.0.2/24"]
session.wan.mtu = "auto"
"""
    tomllib.loads(text)
    assert LineIndex(text).line(path) == line


@MANY
@given(st.text(alphabet="[]{}=.,\"'\\#a1 \n\t"))
def test_what_is_not_toml_ends_the_index_and_no_more(text: str) -> None:
    assert 1 <= LineIndex(text).line(("a",)) <= text.count("\n") + 1
