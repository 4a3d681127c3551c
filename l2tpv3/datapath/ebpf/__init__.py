"""The ebpf datapath: frames never leave the kernel, whose tc programs are made here, instruction by instruction.

Beside the programs each tunnel is one of the user datapath, whose worker has the socket and does all that they can't:
what is to be numbered or reordered, fragments, UDP checksums, VLANs. Where they are missing, or packets come in by a
netdev that has none, it is slower and no different.

    datapath.py   the Protocol: worker and programs      instructions.py  puts a program together
    wires.py      how both hang together                 packet.py        what programs do with packets
    ends.py       the session's veth; names.py           transmit.py      frames into packets
    underlay.py   the netdevs that reach peers           receive.py       packets into frames
    sessions.py   the map that programs share            backhaul.py      the rest, to and from the worker
    entry.py      a session in it                        syscall.py       bpf(2): loads programs, reads and writes maps
    look.py       what there is, and has been counted    ipsec.py         whether there are policies
    trial.py      whether this kernel can                tasks.py         what programs do, and what the worker

Of what goes past it: the programs act before netfilter and without xfrm. See docs/datapaths.md.
"""

from l2tpv3.datapath.ebpf.datapath import EbpfDatapath

__all__ = ["EbpfDatapath"]
