"""What people decided about samples and instructions."""
