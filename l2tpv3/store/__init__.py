"""The database on disk: the record, the journal of the change that is under way, and the log."""
