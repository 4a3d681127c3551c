"""Filters in pcap-filter(7)'s language: libpcap compiles and applies them, by ctypes. It is looked for when needed.

They are applied here and not in the kernel: it takes the VLAN tag off a frame before a filter sees it.
"""

from __future__ import annotations

import ctypes
import threading
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_long, c_uint, c_void_p
from functools import cache
from typing import Any, Final

from l2tpv3.capture.pcapng import LinkType
from l2tpv3.errors import InvalidValueError, UnavailableError

_LIBRARIES: Final = ("libpcap.so.0.8", "libpcap.so.1", "libpcap.so")
_DLT: Final = {LinkType.ETHERNET: 1, LinkType.RAW: 12}  # DLT_RAW is 12 on Linux, LINKTYPE_RAW in files 101
_NETMASK_UNKNOWN: Final = 0xFFFFFFFF
_compiling = threading.Lock()


class _Program(Structure):
    _fields_ = (("length", c_uint), ("instructions", c_void_p))


class _PacketHeader(Structure):
    _fields_ = (("seconds", c_long), ("microseconds", c_long), ("captured", c_uint), ("length", c_uint))


class Expression:
    """A compiled filter. Close it. Raises InvalidValueError for what libpcap refuses, UnavailableError without it."""

    def __init__(self, text: str, linktype: LinkType, snaplen: int) -> None:
        self._pcap = _libpcap()
        self._program = _Program()
        self._header = _PacketHeader()
        with _compiling:
            dead = self._pcap.pcap_open_dead(_DLT[linktype], snaplen)
            try:
                failed = self._pcap.pcap_compile(dead, byref(self._program), text.encode(), 1, _NETMASK_UNKNOWN)
                reason = self._pcap.pcap_geterr(dead).decode(errors="replace") if failed else ""
            finally:
                self._pcap.pcap_close(dead)
        if failed:
            raise InvalidValueError("filter", f"{text!r} is none: {reason}", "see pcap-filter(7)")

    def matches(self, data: bytes, length: int) -> bool:
        """Whether a packet passes. length: before it was cut."""
        self._header.captured, self._header.length = len(data), length
        return bool(self._pcap.pcap_offline_filter(byref(self._program), byref(self._header), data))

    def close(self) -> None:
        """Free the compiled program."""
        self._pcap.pcap_freecode(byref(self._program))


@cache
def _libpcap() -> Any:
    for name in _LIBRARIES:
        try:
            found = ctypes.CDLL(name)
        except OSError:
            continue
        found.pcap_open_dead.argtypes, found.pcap_open_dead.restype = [c_int, c_int], c_void_p
        found.pcap_compile.argtypes = [c_void_p, POINTER(_Program), c_char_p, c_int, c_uint]
        found.pcap_geterr.argtypes, found.pcap_geterr.restype = [c_void_p], c_char_p
        found.pcap_close.argtypes, found.pcap_close.restype = [c_void_p], None
        found.pcap_offline_filter.argtypes = [POINTER(_Program), POINTER(_PacketHeader), c_char_p]
        found.pcap_freecode.argtypes, found.pcap_freecode.restype = [POINTER(_Program)], None
        return found
    remedy = "install it (Debian: libpcap0.8), or capture without a filter"
    raise UnavailableError("filter", "filters are compiled by libpcap, which is not installed", remedy)
