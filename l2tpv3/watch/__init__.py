"""Notices at once, without polling, that something about this host's tunnels may have changed, whoever changed it.

    monitor        Monitor: one file descriptor for all of it, and what of it is worth another look
    l2tp_events    the kernel's L2TP notifications (multicast group `l2tp` of the generic-netlink family `l2tp`)
    netdev_events  rtnetlink's: sessions' netdevs and their addresses, in one network namespace
    linux.inotify  files: the record that commands write, the workers' sockets, network namespaces (inotify(7))

Notifications only say that it is time to look. What changed is not taken from them, since they come late, twice or not
at all (ENOBUFS), and those of L2TP carry cookies.
"""

from __future__ import annotations

from l2tpv3.watch.monitor import EARLY, Change, Monitor, Targets

__all__ = ["EARLY", "Change", "Monitor", "Targets"]
