"""Authentication: who a request is from, and what that one may do."""
