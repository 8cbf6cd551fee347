"""One corpus alone, as a table, and what is in it."""
