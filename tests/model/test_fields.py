"""The table of fields, the classes whose attributes they are, and the values that they have, say the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from l2tpv3.errors import InvalidValueError
from l2tpv3.model.fields import EVERY, LINK, LINK_TYPES, SESSION, TUNNEL, TYPE, Field, words_in_place
from l2tpv3.model.links.options import TYPES as LINK_VALUES
from l2tpv3.model.links.options import LinkType, options_type
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.model.values import TYPES, formatted, parse

OPTIONS = {type_: options_type(LinkType(type_)) for type_ in LINK_TYPES}
TABLES: dict[str, tuple[tuple[Field, ...], type[Any], Mapping[str, Any]]] = {
    "tunnel": (TUNNEL, TunnelSpec, TYPES),
    "session": (SESSION, SessionSpec, TYPES),
    "link": (LINK, LinkSpec, LINK_VALUES),
    **{type_: (fields, OPTIONS[type_], LINK_VALUES) for type_, fields in LINK_TYPES.items()},
}
FIELDS = [
    pytest.param(field, *TABLES[kind][1:], id=f"{kind} {field.word}") for kind in TABLES for field in TABLES[kind][0]
]


@pytest.mark.parametrize("kind", TABLES)
def test_each_attribute_has_a_field(kind: str) -> None:
    fields, made, _ = TABLES[kind]
    assert {field.attribute for field in fields} == {one.name for one in dataclasses.fields(made)} - {"name", "options"}
    assert len({field.word for field in fields}) == len(fields)


def test_types_of_links() -> None:
    assert list(LINK_TYPES) == list(LinkType) == list(TYPE.choices)


@pytest.mark.parametrize(("field", "made", "types"), FIELDS)
def test_defaults_are_the_same(field: Field, made: type[Any], types: Mapping[str, Any]) -> None:
    (default,) = [one.default for one in dataclasses.fields(made) if one.name == field.attribute]
    if field.default is not None:
        assert parse(field, field.default, field.word, types) == default
        again = formatted(field, default, types)
        assert again == (list(field.default) if field.many else field.default)
        assert parse(field, again, field.word, types) == default
    else:
        assert field.optional == (default is None), "only what is optional is None where it is left out"
    assert field.optional == (default is None and field.type not in ("mtu", "link-mtu"))


@pytest.mark.parametrize(("field", "made", "types"), FIELDS)
def test_choices_are_the_values(field: Field, made: type[Any], types: Mapping[str, Any]) -> None:
    for one in field.choices:
        value = parse(field, one, field.word, types)
        assert formatted(field, value, types) == one
        if isinstance(value, StrEnum):
            assert tuple(type(value)) == field.choices
            assert type(value).__name__ == field.type
    if field.choices and field.word != "datapath":
        with pytest.raises(InvalidValueError) as wrong:
            parse(field, "nothing like it", field.word, types)
        assert wrong.value.field == field.word


@pytest.mark.parametrize(("field", "made", "types"), FIELDS)
def test_each_is_described(field: Field, made: type[Any], types: Mapping[str, Any]) -> None:
    assert field.label
    assert field.help.endswith(".")
    assert set(field.in_place) <= {*EVERY}
    assert field.applied_by in ("datapath", "netdev", "encryption", "watch", "record")


def test_the_kernel_changes_nothing_of_a_tunnel_in_place() -> None:
    """What WireGuard around the tunnel changes is not asked of the kernel's L2TP, which has no such request."""
    assert words_in_place(TUNNEL, "kernel") == frozenset()


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: SessionSpec.from_words({"name": "a", "ifname": "a", "id": 0}), "id"),
        (lambda: SessionSpec.from_words({"name": "a", "ifname": "a", "tx-cookie": "1"}), "tx-cookie"),
        (lambda: SessionSpec.from_words({"name": "a", "ifname": "a", "mtu": 67}), "mtu"),
        (lambda: SessionSpec.from_words({"name": "a", "ifname": "a", "egress": "rewrite"}), "egress"),
        (lambda: SessionSpec.from_words({"name": "a", "ifname": "a", "vlan": "5x"}), "vlan"),
        (lambda: TunnelSpec.from_words({"name": "a", "remote": "::1", "local": "192.0.2.1"}), "local"),
        (lambda: TunnelSpec.from_words({"name": "a", "remote": "224.0.0.1"}), "remote"),
        (lambda: TunnelSpec.from_words({"name": "a", "remote": "192.0.2.1", "colour": "red"}), "colour"),
        (lambda: LinkSpec.from_words({"name": "a", "type": "vlan", "over": "eth0"}), "id"),
        (lambda: LinkSpec.from_words({"name": "a", "type": "vlan", "over": "", "id": 5}), "over"),
        (lambda: LinkSpec.from_words({"name": "a", "type": "bond", "stp": "on"}), "stp"),
        (lambda: LinkSpec.from_words({"name": "a", "type": "tap"}), "type"),
        (lambda: LinkSpec.from_words({"name": "a b", "type": "bridge"}), "name"),
        (lambda: TunnelSpec.from_words({"name": "a b", "remote": "192.0.2.1"}), "name"),
        (lambda: SessionSpec.from_words({"name": "a b", "ifname": "a"}), "name"),
        (lambda: LinkSpec.from_words({"name": "a", "type": "bridge", "mtu": 1}), "mtu"),
    ],
)
def test_an_error_says_which_value_was_wrong(make: Any, field: str) -> None:
    with pytest.raises(InvalidValueError) as wrong:
        make()
    assert wrong.value.field == field
