"""From what is asked for and what is on record to the new record: pure functions, but for questions to the kernel about routes."""
