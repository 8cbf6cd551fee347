"""A user's first project: what their files are, by looking at them, and the YAML that says so."""
