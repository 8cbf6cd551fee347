"""Manual filtering: people review instructions and samples, and the next build uses their decisions."""
