"""The output of commands: tables, texts, JSON, streams."""
