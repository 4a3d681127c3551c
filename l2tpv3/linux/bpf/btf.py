"""Reads what a kernel says of its own types (BTF): where members of a struct lie, and what an enum calls its numbers.

Documentation/bpf/btf.rst has the format. Anybody may read the file; a kernel with CONFIG_DEBUG_INFO_BTF has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from struct import error as struct_error
from typing import Final

from l2tpv3.errors import UnavailableError

OF_KERNEL: Final = Path("/sys/kernel/btf/vmlinux")

_HEADER: Final = Struct("=HBBIIIII")  # struct btf_header
_MAGIC: Final = 0xEB9F
_TYPE: Final = Struct("=III")  # struct btf_type
_MEMBER: Final = Struct("=III")  # struct btf_member
_VALUE: Final = Struct("=Ii")  # struct btf_enum
_INT, _ARRAY, _STRUCT, _UNION, _ENUM, _VAR, _DECL_TAG = 1, 3, 4, 5, 6, 14, 17
_FUNC_PROTO, _DATASEC, _ENUM64 = 13, 15, 19
_MODIFIERS: Final = frozenset({8, 9, 10, 11, 18})  # typedef, volatile, const, restrict, type tag
_BEHIND: Final = {_INT: 4, _ARRAY: 12, _VAR: 4, _DECL_TAG: 4}
_EACH: Final = {_STRUCT: 12, _UNION: 12, _ENUM: 8, _FUNC_PROTO: 8, _DATASEC: 12, _ENUM64: 12}
"""Bytes that follow a type of some kind, once or for each of its parts."""
_BITS: Final = 0xFFFFFF
"""Of a member's offset, where the struct has bit fields: the place; their size is above it."""


class KernelTypes:
    """The types in a BTF file. Reading takes a part of a second."""

    def __init__(self, raw: bytes) -> None:
        """raw: the file's bytes. Raises UnavailableError for what is no such file, or one of another byte order."""
        try:
            magic, _, _, length, types, size, strings, strings_size = _HEADER.unpack_from(raw)
            if magic != _MAGIC:
                raise ValueError(f"it begins with {magic:#x}")
            self._raw = raw
            self._strings = raw[length + strings : length + strings + strings_size]
            self._places = [0, *self._walk(length + types, length + types + size)]
        except (ValueError, struct_error) as error:
            raise UnavailableError("the kernel's types", f"can't be read: {error}") from error
        self._structs = self._by_name()

    def _walk(self, at: int, end: int) -> Iterator[int]:
        raw, unpack = self._raw, _TYPE.unpack_from
        while at < end:
            yield at
            info = unpack(raw, at)[1]
            kind = info >> 24 & 0x1F
            at += _TYPE.size + _BEHIND.get(kind, 0) + _EACH.get(kind, 0) * (info & 0xFFFF)

    def _by_name(self) -> dict[tuple[int, str], int]:
        """The places of structs and enums that have a name."""
        found: dict[tuple[int, str], int] = {}
        for at in self._places[1:]:
            name, info, _ = _TYPE.unpack_from(self._raw, at)
            kind = info >> 24 & 0x1F
            if name and kind in (_STRUCT, _ENUM):
                found.setdefault((kind, self._text(name)), at)
        return found

    def _text(self, offset: int) -> str:
        return self._strings[offset : self._strings.index(b"\0", offset)].decode("ascii", "replace")

    def offset(self, struct: str, *members: str) -> int:
        """Where a member of a struct lies, in bytes; further members are those of its own struct.

        Members of structs without a name count as those of the struct around. Raises UnavailableError where it is not
        there.
        """
        at = self._structs.get((_STRUCT, struct))
        place = 0
        for member in members:
            found = self._member(at, member) if at is not None else None
            if found is None:
                raise UnavailableError("the kernel's types", f"struct {struct} has no member {'.'.join(members)}")
            place += found[0]
            at = found[1]
        return place

    def _member(self, at: int, wanted: str) -> tuple[int, int | None] | None:
        """The offset of a member and where its own type is, None for one without members."""
        _, info, _ = _TYPE.unpack_from(self._raw, at)
        for number in range(info & 0xFFFF):
            name, kind, bits = _MEMBER.unpack_from(self._raw, at + _TYPE.size + number * _MEMBER.size)
            inner = self._composite(kind)
            offset = (bits & _BITS if info >> 31 else bits) // 8
            if name and self._text(name) == wanted:
                return offset, inner
            if not name and inner is not None and (deeper := self._member(inner, wanted)) is not None:
                return offset + deeper[0], deeper[1]
        return None

    def _composite(self, kind: int) -> int | None:
        """Where the struct or union is that a type is, behind its other names; None for anything else."""
        while kind:
            at = self._places[kind]
            _, info, target = _TYPE.unpack_from(self._raw, at)
            what = info >> 24 & 0x1F
            if what in (_STRUCT, _UNION):
                return at
            if what not in _MODIFIERS:
                return None
            kind = target
        return None

    def enum(self, name: str) -> dict[int, str]:
        """The names of an enum's numbers; none where there is no such enum."""
        at = self._structs.get((_ENUM, name))
        if at is None:
            return {}
        _, info, _ = _TYPE.unpack_from(self._raw, at)
        begin = at + _TYPE.size
        values = (_VALUE.unpack_from(self._raw, begin + number * _VALUE.size) for number in range(info & 0xFFFF))
        return {value: self._text(text) for text, value in values}


def kernel_types() -> KernelTypes:
    """Those of the running kernel. Raises UnavailableError."""
    try:
        return KernelTypes(OF_KERNEL.read_bytes())
    except OSError as error:
        problem = f"{OF_KERNEL} can't be read: {error.strerror} (CONFIG_DEBUG_INFO_BTF)"
        raise UnavailableError("the kernel's types", problem) from error
