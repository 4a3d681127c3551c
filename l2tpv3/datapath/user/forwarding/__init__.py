"""Moves packets from a socket to a netdev and back."""
