"""How the app is served: sockets, TLS, uvicorn, systemd."""
