"""VyOS, in and out."""
