"""Takes from a worker what it does not need, before it reads its first packet."""
