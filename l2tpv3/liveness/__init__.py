"""Runs beside the tunnels: replaces dead workers, and passes on that a link is lost."""
