"""From a socket to a netdev and back: what happens to each packet."""
