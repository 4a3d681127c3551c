"""A host as commands and the API see it: this one, through its kernel and workers."""
