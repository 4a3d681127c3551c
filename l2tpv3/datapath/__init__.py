"""Datapaths, which move the frames: base.py has the protocol, and each datapath is a package beside it."""
