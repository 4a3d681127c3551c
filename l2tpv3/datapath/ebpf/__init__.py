"""The ebpf datapath: frames never leave the kernel, whose tc programs are made here, instruction by instruction.

Beside the programs each tunnel is one of the user datapath, whose worker has the socket and does all that they can't:
what is to be numbered or reordered, fragments, UDP checksums, VLANs. Where they are missing, or packets come in by a
netdev that has none, it is slower and no different.

    datapath.py        the Protocol: worker and programs
    session.py         how both hang together
    veth.py            the session's veth and what its lower end is called
    underlay.py        the netdevs that reach peers
    session_map.py     the map that programs share
    session_entry.py   a session in it, as bytes
    offload.py         what programs do, and what the worker
    report.py          what there is, and has been counted
    probe.py           whether this kernel can
    programs/          frames into packets, packets into frames, the rest to and from the worker
    ../../linux/bpf/   puts a program together and loads it

Of what goes past it: the programs act before netfilter and without xfrm. See docs/datapaths.md.
"""

from l2tpv3.datapath.ebpf.datapath import EbpfDatapath

__all__ = ["EbpfDatapath"]
