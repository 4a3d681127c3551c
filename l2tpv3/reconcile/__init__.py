"""Changes this host: observes, resolves, plans, takes the steps, and writes the record."""
