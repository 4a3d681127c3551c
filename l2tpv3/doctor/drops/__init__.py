"""Which packets of the tunnels the kernel drops, where, and for which reason: `l2tpctl doctor --drops`."""
