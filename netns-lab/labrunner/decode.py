"""Print the L2TPv3 data packets of a pcap file, two lines each, down to the inner frame. Run as a program; needs scapy:

decode.py FILE PACKETS COOKIE_BYTES SUBLAYER [PROTOCOL ...]

At most PACKETS of them, only those whose inner frame has a layer that is named PROTOCOL (ARP, ICMP, TCP ...) in
scapy. COOKIE_BYTES and SUBLAYER (default or none) are as configured: a packet does not tell. The last line counts.
Exit status 1 when there are none.
"""

from __future__ import annotations

import sys
from typing import Any

from scapy.config import conf
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.utils import rdpcap

from l2tpv3.contrib.scapy.l2tpv3 import L2TPv3, L2TPv3DefaultSublayer, L2TPv3IP, bind_l2tpv3


def main(path: str, packets: int, protocols: list[str]) -> int:
    """Print; the exit status."""
    frames = rdpcap(path)
    data = [(frame, header) for frame in frames if (header := _data_header(frame))]
    chosen = [pair for pair in data if not protocols or any(pair[1].haslayer(name) for name in protocols)]
    for frame, header in chosen[:packets]:
        print(_lines(frame, header, float(frame.time - frames[0].time)))
    print(f"{min(packets, len(chosen))} of the {len(data)} L2TPv3 packets among the first {len(frames)} captured")
    return 0 if chosen else 1


def _data_header(frame: Any) -> Any:
    """The L2TPv3 header of a data packet, else None; that of a packet quoted in an ICMP error does not count."""
    outer = frame.payload
    above = outer.payload if isinstance(outer, (IP, IPv6)) else None
    if isinstance(above, UDP):
        above = above.payload
    return above if isinstance(above, (L2TPv3, L2TPv3IP)) else None


def _lines(frame: Any, header: Any, seconds: float) -> str:
    """Two lines: what is outside, what is inside."""
    outer = frame.payload
    udp = outer.payload if isinstance(outer.payload, UDP) else None
    words = [f"{seconds:6.3f} s  {outer.src} → {outer.dst}", f"UDP {udp.sport} → {udp.dport}" if udp else "IP 115"]
    words.append(f"L2TPv3 session {header.session_id}")
    if header.cookie:
        words.append(f"cookie {header.cookie.hex()}")
    if L2TPv3DefaultSublayer in header:
        sublayer = header[L2TPv3DefaultSublayer]
        words.append(f"sequence {sublayer.sequence}" if sublayer.S else "sublayer")
    inner = header[Ether]
    return f"{', '.join(words)}\n          └ {inner.src} → {inner.dst}  {_inner(inner)}"


def _inner(inner: Any) -> str:
    """What the inner frame says."""
    if ARP in inner:
        arp = inner[ARP]
        return f"ARP who has {arp.pdst}? tell {arp.psrc}" if arp.op == 1 else f"ARP {arp.psrc} is at {arp.hwsrc}"
    summary: str = inner.payload.summary()
    return summary.partition(" / Raw")[0]


if __name__ == "__main__":
    conf.contribs["L2TPv3"]["cookie_length"] = int(sys.argv[3])
    conf.contribs["L2TPv3"]["sublayer"] = sys.argv[4]
    bind_l2tpv3()
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[5:]))
