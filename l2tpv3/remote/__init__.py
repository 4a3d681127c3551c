"""Another host's tunnels through its service: RemoteManager is a l2tpv3.host.base.Host. httpx is imported in client.py."""
