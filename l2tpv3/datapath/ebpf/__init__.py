"""The ebpf datapath: frames never leave the kernel, whose tc programs are made here, instruction by instruction.

Beside the programs each tunnel is one of the user datapath, whose worker has the socket and does all that they can't:
what is to be numbered or reordered, fragments, UDP checksums, VLANs. Where they are missing, or packets come in by a
netdev that has none, it is slower and no different.

    instructions.py   puts a program together     syscall.py     bpf(2): loads it, reads and writes maps
    transmit.py       frames into packets         receive.py     packets into frames        backhaul.py  the rest
    entry.py          a session in the map        sessions.py    the map                    names.py     the netdevs'
    wires.py          a session's netdevs         underlay.py    those that reach peers     datapath.py  the Protocol

Of what goes past it: the programs act before netfilter and without xfrm. See docs/datapaths.md.
"""

from l2tpv3.datapath.ebpf.datapath import EbpfDatapath

__all__ = ["EbpfDatapath"]
