"""What encrypts tunnels: made before a tunnel, removed after it, so that nothing of it goes in the clear."""
