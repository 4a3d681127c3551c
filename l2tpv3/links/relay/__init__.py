"""The worker's side of virtual cards."""
