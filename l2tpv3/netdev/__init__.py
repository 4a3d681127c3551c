"""Configures a session's netdev: its namespace, MTU, MAC address, addresses, bridge, up and down."""
