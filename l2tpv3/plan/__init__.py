"""From the record and what was observed to the steps that make the one the other. No I/O."""
