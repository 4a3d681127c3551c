"""What the service counts of itself: requests and streams. Tunnels and sessions are l2tpv3.metrics.host' business."""
