"""`ip l2tp`: as a command of our own, and in scripts that are imported."""
