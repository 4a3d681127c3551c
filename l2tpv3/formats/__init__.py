"""Other tools' words, in and out."""
