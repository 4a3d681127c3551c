"""Bytes on the wire to values and back: no socket, no clock, no file (RFC 3931, RFC 4719)."""
