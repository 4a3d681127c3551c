"""Which flows pass a session, by rate: `l2tpctl torch`. The kernel counts them; nothing is changed or copied."""
