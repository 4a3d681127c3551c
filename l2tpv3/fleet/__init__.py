"""A fleet: tunnels between many hosts, stated in one file, checked as a whole and changed as one."""
