"""People's decisions about samples and instructions."""
