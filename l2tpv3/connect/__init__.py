"""Makes both ends of a pseudowire as one change: at all of its ends, or at none."""
