"""Another host's tunnels through its service: RemoteHost is a host.base.Host. Only client.py imports httpx."""
