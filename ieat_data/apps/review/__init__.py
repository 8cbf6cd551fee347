"""Manual filtering: people look at instructions and samples, and the next build reads what they decided."""
