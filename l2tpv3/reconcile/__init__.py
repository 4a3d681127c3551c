"""Changes of this host: look, resolve, plan, take the steps, write down."""
