"""What has to run while tunnels run: dead workers are replaced, and link loss is passed on."""
