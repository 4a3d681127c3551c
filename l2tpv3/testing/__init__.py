"""A host in memory, for tests and benchmarks: tunnels, netdevs and links that are only remembered."""
