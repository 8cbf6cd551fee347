"""One corpus alone, as a table, with statistics."""
