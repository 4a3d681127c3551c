"""The options of `link add` and `link set`, made from the table of fields, are the words of the types' tables."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from l2tpv3.cli import link_options
from l2tpv3.cli.app import command
from l2tpv3.cli.click_classes import Group
from l2tpv3.model.links.options import (
    BondMode,
    IpvlanFlag,
    IpvlanMode,
    LacpRate,
    LinkType,
    MacvlanMode,
    PortCarrier,
    Stp,
    VlanProtocol,
    options_type,
    own_fields,
)
from l2tpv3.model.links.options import Hash as BondHash
from l2tpv3.model.links.spec import COMMON

OWN = {str(type_): own_fields(type_) for type_ in LinkType}
MODES = {"bond": BondMode, "macvlan": MacvlanMode, "ipvlan": IpvlanMode}
CHOICES: dict[str, Any] = {
    "stp": Stp,
    "hash": BondHash,
    "lacp-rate": LacpRate,
    "flag": IpvlanFlag,
    "protocol": VlanProtocol,
    "carrier": PortCarrier,
}


def options(word: str) -> dict[str, Any]:
    """A command's options, by their first name without dashes."""
    group = command().get_command(None, "link")
    assert isinstance(group, Group)
    made = group.get_command(None, word)
    assert made is not None
    params: list[Any] = made.params
    return {one.opts[0].removeprefix("--"): one for one in params if one.param_type_name == "option"}


def owners(word: str) -> list[str]:
    return [type_ for type_, own in OWN.items() if word in own]


def test_each_word_has_an_option_and_each_option_a_word() -> None:
    words = {*COMMON} | {word for own in OWN.values() for word in own}
    assert {*link_options.OPTIONS} == words
    assert {*options("add")} == words | {"type", "transient", "json"}
    assert {*options("set")} == words | {"type", "json"}


@pytest.mark.parametrize("word", [word for word in link_options.OPTIONS if word not in COMMON])
def test_help_says_whose_it_is_and_its_default(word: str) -> None:
    text = options("add")[word].help
    assert re.findall(r"(?:^|\. )(\w+): ", text) == owners(word)
    for type_ in owners(word):
        field = OWN[type_][word].attribute
        options_ = dataclasses.fields(options_type(LinkType(type_)))
        (default,) = [one.default for one in options_ if one.name == field]
        said: dict[Any, str] = {True: "on", False: "off"}
        mentioned = re.search(r"\[default: (.*)\]", text)
        if word != "mode" and mentioned is not None:
            assert mentioned[1] == (said[default] if isinstance(default, bool) else str(default))
        else:
            assert default in (None, ()) or word in ("mode", "id")


@pytest.mark.parametrize("type_", MODES)
def test_help_says_the_modes_of_each_type_and_the_default_first(type_: str) -> None:
    (said,) = re.findall(rf"{type_}: ([^:]*)\.(?: \w+:|$)", options("add")["mode"].help)
    default, *others = said.split(", ")
    assert {default.removesuffix(" (default)"), *others} == {*MODES[type_]}
    (field,) = [one for one in dataclasses.fields(options_type(LinkType(type_))) if one.name == "mode"]
    assert default == f"{field.default} (default)"


@pytest.mark.parametrize("word", CHOICES)
def test_choices_are_in_the_usage(word: str) -> None:
    assert options("set")[word].metavar.split("|") == [*CHOICES[word]]


def test_what_is_a_list_may_be_repeated() -> None:
    for word, option in options("add").items():
        tables = [COMMON, *OWN.values()]
        assert option.multiple == any(table[word].many for table in tables if word in table), word
