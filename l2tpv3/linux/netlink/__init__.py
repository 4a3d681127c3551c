"""Netlink (netlink(7)) for what has to be quick with thousands of objects: messages without I/O, and a blocking socket.

pyroute2 knows far more of it, and takes ten times as long to read a dump, or to set one netdev up.
"""
