"""Speech as discrete tokens."""
