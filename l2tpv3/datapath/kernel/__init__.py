"""The kernel's own L2TP: tunnels and sessions through its generic-netlink family `l2tp`, netdevs from l2tp_eth.

datapath.py   KernelDatapath, the Protocol's methods
requests.py   specs → commands and attributes, sequencing semantics
netlink.py    the socket: requests and dumps of the l2tp family
reply.py      bytes of answers and dumps → values; no I/O
refusals.py   the kernel's error numbers → our errors
modules.py    whether the modules are there, loading them, saying why they can't be
vlan.py       sessions of one VLAN, of which l2tp_eth has none
netdevs.py    waiting for a session's netdev to go
uapi.py       numbers of linux/l2tp.h and linux/genetlink.h
"""

from l2tpv3.datapath.kernel.datapath import KernelDatapath

__all__ = ["KernelDatapath"]
