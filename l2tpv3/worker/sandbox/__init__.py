"""What a worker gives up before it reads its first packet."""
