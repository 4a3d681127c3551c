"""How links are made: each of these knows one way."""
