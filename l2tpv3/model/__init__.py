"""Values: what a tunnel, a session or a link is, was asked to be, is on record as and was seen as. No I/O."""
