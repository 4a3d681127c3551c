"""MikroTik RouterOS, in and out."""
