"""Planning: from the record and what is observed to the steps that make both agree. This package does no I/O."""
