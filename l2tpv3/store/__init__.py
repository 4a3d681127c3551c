"""What is kept on disk: the record, the journal of the change that is under way, the log."""
