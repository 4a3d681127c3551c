"""Reads and writes the configuration of other tools."""
