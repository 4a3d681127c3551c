"""For other programs' sake: nothing in this package needs it."""
