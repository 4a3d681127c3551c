"""What a worker does for a virtual card."""
