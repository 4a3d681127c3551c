"""Interfaces of Linux. Nothing in this package knows L2TP."""
