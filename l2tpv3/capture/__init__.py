"""Captures a session's frames, live, as pcapng: on the underlay (outer) or at its netdev (inner).

options         what to capture: side, filter, limits
pcapng          blocks of a pcapng file, written and read; no input or output
session_filter  the classic BPF program by which the kernel picks out one session's packets
libpcap         filters in pcap-filter(7)'s language, by libpcap, where that is installed
recorder        Recording: the socket, and the stream that comes of it
decode          what packets say, in lines, with the project's scapy layers
"""

from __future__ import annotations

from l2tpv3.capture.options import CaptureOptions, Side

__all__ = ["CaptureOptions", "Side"]
