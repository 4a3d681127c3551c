"""From what is asked for and what is on record to the new record. Pure, but for questions about routes."""
