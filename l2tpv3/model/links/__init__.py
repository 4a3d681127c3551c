"""Values about links: what lies over sessions and NICs, and joins them."""
