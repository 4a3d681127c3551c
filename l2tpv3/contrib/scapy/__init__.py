"""Layers for scapy."""
