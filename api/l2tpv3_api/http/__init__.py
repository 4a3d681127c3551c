"""The parts of HTTP that all routes share: bodies, headers, entity tags, paging, problems."""
