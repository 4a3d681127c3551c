"""What happens, as it happens: the hub that events pass through, what finds them out, and how they are streamed."""
