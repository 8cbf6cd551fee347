"""Two builds beside each other, as a page."""
