"""Value classes behave as frozen dataclasses do: l2tpv3/value_class.py."""

from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pytest

from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class Value:
    name: str
    port: int = 1701
    secret: bytes = field(default=b"", repr=False)
    source: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    name: str
    port: int = 1701
    secret: bytes = field(default=b"", repr=False)
    source: str = field(default="", compare=False)


@value_class(frozen=True, slots=True)
class Single:
    name: str


@value_class(frozen=True, slots=True)
class Empty:
    pass


@value_class(frozen=True, slots=True)
class OwnEquality:
    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnEquality)

    def __hash__(self) -> int:
        return 1


SAMPLES: list[dict[str, Any]] = [
    {"name": "a"},
    {"name": "a", "source": "x"},
    {"name": "a", "port": 1},
    {"name": "b", "secret": b"s"},
]


@pytest.mark.parametrize("ours", SAMPLES)
@pytest.mark.parametrize("theirs", SAMPLES)
def test_values_compare_hash_and_print_as_those_of_a_frozen_dataclass(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    assert (Value(**ours) == Value(**theirs)) is (Reference(**ours) == Reference(**theirs))
    assert (hash(Value(**ours)) == hash(Value(**theirs))) is (hash(Reference(**ours)) == hash(Reference(**theirs)))
    assert repr(Value(**ours)) == repr(Reference(**ours)).replace("Reference", "Value")
    assert asdict(Value(**ours)) == asdict(Reference(**ours))


def test_values_are_replaced_copied_and_pickled() -> None:
    value = Value(name="a", secret=b"s")
    assert replace(value, port=5) == Value(name="a", port=5, secret=b"s")
    assert copy.deepcopy(value) == value == pickle.loads(pickle.dumps(value))
    assert not hasattr(value, "__dict__")


def test_values_of_one_field_and_of_none() -> None:
    assert Single("a") == Single("a") != Single("b")
    assert Empty() == Empty()
    assert len({Empty(), Empty()}) == 1
    assert Single("a").__eq__("a") is NotImplemented


def test_methods_that_a_class_defines_itself_stay() -> None:
    assert OwnEquality("a") == OwnEquality("b")
    assert hash(OwnEquality("a")) == 1
