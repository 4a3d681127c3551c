"""Additions for other programs (scapy); nothing in this package needs them, except for decoding captures."""
