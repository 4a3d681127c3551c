"""Finds out why nothing passes a pseudowire, or too much does: `l2tpctl doctor`. It changes nothing."""
