"""What Linux offers, without a word about L2TP."""
