"""Events: the hub that they pass through, the watcher that finds changes, and the streams to clients."""
