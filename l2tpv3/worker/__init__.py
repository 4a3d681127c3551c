"""The processes without privileges that carry the packets: how they are started, asked and ended."""
