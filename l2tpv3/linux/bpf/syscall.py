"""bpf(2): maps and programs, each an open file. ctypes on libc, since neither has a call for it.

What is loaded lives as long as something refers to it: a file, a filter of tc(8), or a program that uses a map.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
from typing import Final

from l2tpv3.errors import UnavailableError
from l2tpv3.linux.libc import checked, libc

_NUMBERS: Final = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
_MAP_CREATE, _LOOKUP, _UPDATE, _DELETE, _NEXT_KEY, _LOAD = 0, 1, 2, 3, 4, 5  # enum bpf_cmd
_PROGRAM_BY_ID, _MAP_BY_ID, _INFO, _RAW_TRACEPOINT_OPEN = 13, 14, 15, 17
_HASH: Final = 1  # BPF_MAP_TYPE_HASH
SOCKET_FILTER, SCHED_CLS, RAW_TRACEPOINT = 1, 3, 17  # enum bpf_prog_type
"""What a program is for: to be the filter of a socket, or one of tc(8), or to be called at a place in the kernel."""
_LOOKUP_BATCH: Final = 24  # enum bpf_cmd
_BATCH = struct.Struct("=QQQQIIQQ")  # of union bpf_attr
_BATCH_COUNT: Final = 32
_NO_PREALLOC: Final = 1  # BPF_F_NO_PREALLOC
_ATTRIBUTES_BYTES: Final = 128
_NAME_BYTES: Final = 16
_LOG_BYTES: Final = 1 << 18
_LICENSE: Final = b"Dual MIT/GPL\0"
"""What the kernel asks for some helpers, of the program: the project's own licence with the kernel's beside it."""


def available() -> bool:
    """Whether the call's number is known for this machine."""
    return platform.machine() in _NUMBERS


def create_map(name: str, key_bytes: int, value_bytes: int, entries: int) -> int:
    """The file of a hash map. Raises OSError."""
    # Before the name are inner_map_fd and numa_node.
    numbers = (_HASH, key_bytes, value_bytes, entries, _NO_PREALLOC, 0, 0)
    return _call(_MAP_CREATE, struct.pack("=IIIIIII16s", *numbers, _name(name)))


def _name(text: str) -> bytes:
    return text.encode()[: _NAME_BYTES - 1]


def put(fd: int, key: bytes, value: bytes) -> None:
    """Set an entry of a map. Raises OSError."""
    _element(_UPDATE, fd, key, ctypes.create_string_buffer(value, len(value)))


def get(fd: int, key: bytes, value_bytes: int) -> bytes | None:
    """An entry of a map; None where there is no such. Raises OSError."""
    value = ctypes.create_string_buffer(value_bytes)
    try:
        _element(_LOOKUP, fd, key, value)
    except FileNotFoundError:
        return None
    return value.raw


def remove(fd: int, key: bytes) -> bool:
    """Remove an entry of a map; whether it was there. Raises OSError."""
    try:
        _element(_DELETE, fd, key, None)
    except FileNotFoundError:
        return False
    return True


def keys(fd: int, key_bytes: int) -> list[bytes]:
    """All keys of a hash map that nobody else changes. Raises OSError."""
    found: list[bytes] = []
    following = ctypes.create_string_buffer(key_bytes)
    try:
        while True:
            _element(_NEXT_KEY, fd, found[-1] if found else None, following)
            found.append(following.raw)
    except FileNotFoundError:
        return found


def first_key(fd: int, key_bytes: int) -> bytes | None:
    """A key of a hash map; None when it has no entry. Raises OSError."""
    found = ctypes.create_string_buffer(key_bytes)
    try:
        _element(_NEXT_KEY, fd, None, found)
    except FileNotFoundError:
        return None
    return found.raw


def entries(fd: int, key_bytes: int, value_bytes: int, most: int) -> tuple[bytes, bytes]:
    """The entries of a hash map of at most so many, at once (Linux 5.6): their keys, one behind the other, and values.

    Raises OSError.
    """
    keys, values = (ctypes.create_string_buffer(size * most) for size in (key_bytes, value_bytes))
    place = ctypes.create_string_buffer(8)
    attributes = ctypes.create_string_buffer(_ATTRIBUTES_BYTES)
    addresses = (0, *map(ctypes.addressof, (place, keys, values)))
    _BATCH.pack_into(attributes, 0, *addresses, most, fd, 0, 0)
    with contextlib.suppress(FileNotFoundError):  # which says that these were all
        _call_with(_LOOKUP_BATCH, attributes)
    count = min(struct.unpack_from("=I", attributes, _BATCH_COUNT)[0], most)
    return ctypes.string_at(keys, key_bytes * count), ctypes.string_at(values, value_bytes * count)


def load(name: str, code: bytes, kind: int = SCHED_CLS) -> int:
    """The file of a program. Raises OSError; what the verifier says is a note of it."""
    instructions = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(_LICENSE)
    try:
        return _call(_LOAD, _loading(kind, name, code, instructions, licence))
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOSYS):
            raise
        log = ctypes.create_string_buffer(_LOG_BYTES)
        with contextlib.suppress(OSError):
            os.close(_call(_LOAD, _loading(kind, name, code, instructions, licence, log)))
        error.add_note(log.value.decode("ascii", "replace"))
        raise


def attach_to_tracepoint(name: str, program: int) -> int:
    """A file: while it is open, the kernel calls a program of RAW_TRACEPOINT at a tracepoint, by its bare name.

    Raises OSError: EINVAL where the program reads more arguments than the tracepoint has, ENOENT where there is none.
    """
    text = ctypes.create_string_buffer(name.encode())
    return _call(_RAW_TRACEPOINT_OPEN, struct.pack("=QI", ctypes.addressof(text), program))


def _loading(
    kind: int, name: str, code: bytes, instructions: ctypes.Array[ctypes.c_char], licence: ctypes.Array[ctypes.c_char],
    log: ctypes.Array[ctypes.c_char] | None = None,
) -> bytes:  # fmt: skip
    log_level, log_size, log_address = (1, len(log), ctypes.addressof(log)) if log is not None else (0, 0, 0)
    return struct.pack(
        "=IIQQIIQII16s", kind, len(code) // 8, ctypes.addressof(instructions), ctypes.addressof(licence),
        log_level, log_size, log_address, 0, 0, _name(name),
    )  # fmt: skip


def program_by_id(number: int) -> int:
    """The file of a program that is loaded. Raises OSError."""
    return _call(_PROGRAM_BY_ID, struct.pack("=III", number, 0, 0))


def map_by_id(number: int) -> int:
    """The file of a map. Raises OSError."""
    return _call(_MAP_BY_ID, struct.pack("=III", number, 0, 0))


def maps_of(program: int) -> list[int]:
    """The ids of the maps that a program uses. Raises OSError."""
    numbers = (ctypes.c_uint32 * 16)()
    info = ctypes.create_string_buffer(_INFO_BYTES)
    struct.pack_into("=IQ", info, _INFO_MAPS, len(numbers), ctypes.addressof(numbers))
    _call(_INFO, struct.pack("=IIQ", program, _INFO_BYTES, ctypes.addressof(info)))
    count = struct.unpack_from("=I", info, _INFO_MAPS)[0]
    return list(numbers[: min(count, len(numbers))])


def map_name(fd: int) -> str:
    """A map's name. Raises OSError."""
    return _map_info(fd)[_INFO_NAME : _INFO_NAME + _NAME_BYTES].split(b"\0", 1)[0].decode("ascii", "replace")


def map_id(fd: int) -> int:
    """A map's id. Raises OSError."""
    return int(struct.unpack_from("=I", _map_info(fd), _INFO_ID)[0])


def _map_info(fd: int) -> bytes:
    info = ctypes.create_string_buffer(_INFO_BYTES)
    _call(_INFO, struct.pack("=IIQ", fd, _INFO_BYTES, ctypes.addressof(info)))
    return info.raw


_INFO_BYTES: Final = 80
_INFO_MAPS: Final = 52  # nr_map_ids in struct bpf_prog_info, and map_ids behind it
_INFO_ID, _INFO_NAME = 4, 24  # id and name in struct bpf_map_info


def _element(command: int, fd: int, key: bytes | None, value: ctypes.Array[ctypes.c_char] | None) -> None:
    place = ctypes.create_string_buffer(key, len(key)) if key is not None else None
    attributes = struct.pack(
        "=IxxxxQQQ", fd, ctypes.addressof(place) if place is not None else 0,
        ctypes.addressof(value) if value is not None else 0, 0,
    )  # fmt: skip
    _call(command, attributes)


def _call(command: int, attributes: bytes) -> int:
    return _call_with(command, ctypes.create_string_buffer(attributes, _ATTRIBUTES_BYTES))


def _call_with(command: int, buffer: ctypes.Array[ctypes.c_char]) -> int:
    """The same, where the kernel writes into the attributes."""
    number = _NUMBERS.get(platform.machine())
    if number is None:
        raise UnavailableError("eBPF", f"bpf(2) has no number that is known for {platform.machine()}")
    size = ctypes.c_long(_ATTRIBUTES_BYTES)
    return checked(libc.syscall(ctypes.c_long(number), ctypes.c_long(command), buffer, size))
