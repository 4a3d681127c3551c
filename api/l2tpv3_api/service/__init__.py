"""The host's manager, called from an event loop."""
