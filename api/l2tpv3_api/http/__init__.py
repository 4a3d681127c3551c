"""What all routes have in common as HTTP: bodies, headers, entity tags, paging, problems."""
