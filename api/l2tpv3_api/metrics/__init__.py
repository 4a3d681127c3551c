"""The metrics of the service itself: requests and streams. Those of tunnels and sessions are in l2tpv3.metrics.host."""
