"""How links are made: one module for each way."""
