"""Workers, the processes without privileges that move frames: how they are started, asked and ended."""
