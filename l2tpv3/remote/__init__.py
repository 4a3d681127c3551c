"""Another host's tunnels through its service: RemoteManager is a host.base.Host. Only client.py imports httpx."""
