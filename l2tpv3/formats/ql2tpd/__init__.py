"""go-l2tp's ql2tpd, in and out."""
