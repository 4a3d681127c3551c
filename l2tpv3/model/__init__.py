"""Values: tunnels, sessions and links as they are desired, recorded, observed and shown. This package does no I/O."""
