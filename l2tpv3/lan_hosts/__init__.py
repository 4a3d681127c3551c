"""Who is behind a pseudowire, by what hosts say of themselves: `l2tpctl hosts`. It changes and sends nothing."""
