"""Values about links: netdevs that lie over sessions and NICs, and join them."""
