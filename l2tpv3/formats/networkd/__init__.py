"""systemd-networkd's files, in and out."""
