"""The kernel's own L2TP: tunnels and sessions through its generic-netlink family `l2tp`, netdevs from l2tp_eth.

datapath.py   KernelDatapath, the Protocol's methods
encode.py     specs → commands and attributes, sequencing semantics
genl.py       the socket: requests and dumps of the l2tp family
decode.py     bytes of answers and dumps → values; no I/O
errors.py     the kernel's error numbers → our errors
vlan.py       sessions of one VLAN, which l2tp_eth does not know
wait.py       waiting until a session's netdev is gone
uapi.py       numbers of linux/l2tp.h and linux/genetlink.h
"""

from l2tpv3.datapath.kernel.datapath import KernelDatapath

__all__ = ["KernelDatapath"]
