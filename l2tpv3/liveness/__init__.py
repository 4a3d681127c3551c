"""What has to go on while tunnels run: workers started again, link loss passed on."""
