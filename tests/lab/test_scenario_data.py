"""Scenarios as data: what is inherited, what is refused, what an expectation means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from labrunner import expect, load
from labrunner.errors import ScenarioError

_WHOLE = """
title = "T"
[values]
x = "1{y}"
y = 2
[hosts.a]
ip = ["link add {x} type dummy"]
[hosts.b]
[[links]]
a = { host = "a", netdev = "e0", addresses = ["192.0.2.{y}/24"] }
b = { host = "b", netdev = "e0" }
[[steps]]
say = "S"
on = "a"
run = "ip -j link"
save = { mac = "0.address" }
[[steps]]
say = "{mac}"
on = "b"
run = "true {netns.a} {datapath}"
"""


def _scenario(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenario.toml").write_text(text)
    return folder


@pytest.mark.parametrize("name", load.names())
def test_shipped_ones_load_and_have_a_readme(name: str) -> None:
    scenario = load.load(load.SCENARIOS / name)
    assert scenario.steps
    readme = (load.SCENARIOS / "README.md").read_text()
    assert f"`{name}`" in readme


def test_values_and_defaults(tmp_path: Path) -> None:
    scenario = load.load(_scenario(tmp_path / "s", _WHOLE))
    assert scenario.hosts[0].ip == ("link add 12 type dummy",)
    assert scenario.links[0].a.addresses == ("192.0.2.2/24",)
    assert scenario.links[0].mtu == 1500
    assert scenario.steps[1].run == ("true {netns.a} {datapath}",)  # known only when it is played


def test_inheritance_merges_tables_and_replaces_lists(tmp_path: Path) -> None:
    _scenario(tmp_path / "base", _WHOLE)
    child = _scenario(
        tmp_path / "child", 'base = "base"\ntitle = "C"\nsteps = []\n[values]\ny = 7\n[hosts.b]\nip = ["x"]\n'
    )
    scenario = load.load(child)
    assert scenario.title == "C"
    assert scenario.steps == ()
    assert scenario.hosts[0].ip == ("link add 17 type dummy",)
    assert [host.name for host in scenario.hosts] == ["a", "b"]
    assert scenario.hosts[1].ip == ("x",)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('on = "a"', 'on = "z"', "step 1: no host 'z'"),
        ('run = "ip -j link"', "", "step 1: give one of run"),
        ('run = "ip -j link"', 'run = "x"\nbackground = "y"', "step 1: give one of run"),
        ('run = "ip -j link"', 'rum = "x"', "step 1: unknown: rum"),
        ('run = "ip -j link"', 'tcp = { to = "b", address = "x" }\nstdin = "y"', "stdin is for run and background"),
        ('run = "ip -j link"', 'outage = { address = "x", at = "z", cut = "y", most_s = 1 }', "step 1: no host 'z'"),
        ('run = "ip -j link"', 'outage = { address = "x", at = "b", cut = "y" }', "outage: most_s is missing"),
        ('run = "ip -j link"', "run = 5", "step 1: run = 5 has the wrong type"),
        ('save = { mac = "0.address" }', "", "step 2: {mac} has no value"),
        ("[hosts.b]", "[hosts.b-c]", "'b-c' is no name for a host"),
        ('title = "T"', "", "title is missing"),
        ('title = "T"', "title = ", "scenario.toml"),
        ('x = "1{y}"', 'x = "{x}"', "in a circle"),
        ('title = "T"', 'title = "T"\nbase = "none-such"', "no scenario 'none-such'"),
        ('title = "T"', 'title = "T"\nbase = "s"', "its own base"),
    ],
)
def test_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in _WHOLE
    folder = _scenario(tmp_path / "s", _WHOLE.replace(old, new, 1))
    with pytest.raises(ScenarioError) as caught:
        load.load(folder)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("value", "wanted", "holds"),
    [
        (3, 3, True),
        (3, 4, False),
        (3, "3", True),
        (3, ">= 3", True),
        (2, ">= 3", False),
        (2, "< 3", True),
        (3, "!= 3", False),
        ("3", "> 1", False),
        (True, 1, False),
        (True, "> 0", False),
        (True, True, True),
        ("up", "up", True),
        (["A", "UP"], "~ 'UP'", True),
        (["A"], "~ 'UP'", False),
        ([], [], True),
        ([1], [], False),
    ],
)
def test_what_an_expectation_means(value: Any, wanted: Any, holds: bool) -> None:  # noqa: FBT001 (a table's column)
    assert (expect.complaint(value, wanted) == "") is holds


def test_json_paths() -> None:
    text = json.dumps({"a": [{"b": 1}]})
    assert expect.json_findings(text, {"a.0.b": 1}) == ({"a.0.b": 1}, [])
    assert expect.json_findings(text, {"a.1.b": 1})[1] == ["there is no a.1.b (at 1)"]
    assert expect.json_findings(text, {"a.0.c": 1})[1] == ["there is no a.0.c (at c)"]
    assert expect.json_findings("x", {"a": 1})[1][0].startswith("its output is not JSON")
    assert expect.pick(5, "") == 5


def test_text() -> None:
    assert expect.text_complaints("one\ntwo\n", ["^two$", "o.e"]) == []
    assert expect.text_complaints("one", ["two"]) == ["its output does not match 'two'"]
