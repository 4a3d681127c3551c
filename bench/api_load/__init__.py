"""What bench/api is made of."""
